"""Draws the dashboard from what a real Prometheus has scraped of a live server: `python -m tests.support.dashboard_picture
out.html [seconds]`. Grafana itself can't be had as a package; this shows what its panels would hold.
"""

import asyncio
import html
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from adapters.system import SystemRandomness
from tests.support.prometheus import ROOT, Prometheus, programs, scraping

FOLDER: Final = ROOT / "deploy" / "observability"
COLOURS: Final = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#96d98d")
COLUMN_PX, ROW_PX = 52, 26
STEP_S: Final = 2


async def main(seconds: float) -> str:
    found = programs()
    assert found is not None, "no Prometheus can be had here"
    with tempfile.TemporaryDirectory() as folder:
        process, url = await _serve(Path(folder))
        try:
            config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
            config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
            config["rule_files"] = [str(FOLDER / "alerts.yml")]
            config["scrape_configs"][0]["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
            async with scraping(found, Path(folder) / "prometheus", config=yaml.safe_dump(config)) as server:
                began = time.time()
                await _load(url, seconds)
                return await _page(server, began, time.time())
        finally:
            process.terminate()
            await process.communicate()  # its log is on stdout too, and fills the pipe


async def _serve(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    (folder / "lor3.yaml").write_text(
        "primary: flaky:gpt-4o\nfallbacks: [demo:echo]\n"
        "providers: {demo: {}, flaky: {kind: openai-compatible, base_url: 'http://127.0.0.1:9/v1'}}\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", "--workers", "2"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    return process, str(json.loads(await process.stdout.readline())["url"])


async def _load(url: str, seconds: float) -> None:
    """Some chats of each kind, more and fewer by turns."""
    end, chance = time.monotonic() + seconds, SystemRandomness()
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end:
            bodies: list[dict[str, Any]] = [
                {
                    "prompt": "hello " * int(1 + 200 * chance.fraction()),
                    "model": "demo:echo",
                    "stream": index % 2 == 0,
                }
                for index in range(int(1 + 12 * chance.fraction()))
            ]
            bodies += [{"prompt": "hello"}, {"prompt": ""}]
            await asyncio.gather(*(_chat(session, url, body) for body in bodies))
            await asyncio.sleep(0.3)


async def _chat(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> None:
    async with session.post(f"{url}/chat", json=body) as response:
        await response.read()


async def _page(server: Prometheus, begin: float, end: float) -> str:
    board = json.loads((FOLDER / "grafana" / "lor3.json").read_text())
    boxes = [await _box(server, panel, begin, end) for panel in board["panels"]]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * ROW_PX
    return (
        "<!doctype html><meta charset=utf-8><title>lor3</title><style>body{margin:0;background:#111217;"
        "color:#ccccdc;font:12px sans-serif}div{position:absolute;background:#181b1f;overflow:hidden;"
        "box-sizing:border-box;border:1px solid #2c3235;padding:4px 8px}div.row{border:0;background:none;"
        f"font-weight:bold}}b.stat{{font-size:26px;color:#73bf69}}</style><body style='height:{bottom}px'>"
        + "".join(boxes)
    )


async def _box(server: Prometheus, panel: dict[str, Any], begin: float, end: float) -> str:
    at = panel["gridPos"]
    width, height = at["w"] * COLUMN_PX, at["h"] * ROW_PX
    place = f"left:{at['x'] * COLUMN_PX}px;top:{at['y'] * ROW_PX}px;width:{width}px;height:{height}px"
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        return f"<div class=row style='{place}'>{title}</div>"
    series: list[tuple[str, list[tuple[float, float]]]] = []
    for target in panel["targets"]:
        found = await server.get(
            "query_range",
            query=target["expr"].replace("$__rate_interval", "10s"),
            start=str(begin),
            end=str(end),
            step=str(STEP_S),
        )
        for each in found["result"]:
            values = [(float(moment), float(value)) for moment, value in each["values"]]
            numbers = [(moment, value) for moment, value in values if value == value]
            if numbers:
                series.append((_legend(target["legendFormat"], each["metric"]), numbers))
    unit = panel["fieldConfig"]["defaults"]["unit"]
    if not series:
        return f"<div style='{place}'>{title}<br><br>no data</div>"
    if panel["type"] == "stat":
        return f"<div style='{place}'>{title}<br><b class=stat>{series[0][1][-1][1]:.4g} {unit}</b></div>"
    return f"<div style='{place}'>{title} [{unit}]{_chart(series, width - 18, height - 60, begin, end)}</div>"


def _legend(template: str, labels: dict[str, str]) -> str:
    if template == "__auto":
        return ", ".join(f"{name}={value}" for name, value in labels.items())
    for name, value in labels.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def _chart(
    series: Sequence[tuple[str, list[tuple[float, float]]]], width: int, height: int, begin: float, end: float
) -> str:
    top = max(value for _, values in series for _, value in values) or 1.0
    lines, legend = [], []
    for index, (name, values) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        points = " ".join(
            f"{(moment - begin) / (end - begin) * width:.1f},{height - value / top * height:.1f}"
            for moment, value in values
        )
        lines.append(f"<polyline points='{points}' fill='none' stroke='{colour}'/>")
        legend.append(f"<span style='color:{colour}'>■</span> {html.escape(name)} ")
    return (
        f"<br>{top:.3g}<br><svg width={width} height={height}>{''.join(lines)}</svg><br>{''.join(legend[:6])}"
    )


if __name__ == "__main__":
    page = asyncio.run(main(float(sys.argv[2]) if len(sys.argv) > 2 else 60.0))
    Path(sys.argv[1]).write_text(page)
