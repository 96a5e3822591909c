"""The client's side of TLS: certificates are always verified."""

import asyncio
import functools
import ssl


@functools.cache
def default_context() -> ssl.SSLContext:
    """The system's authorities, or those that SSL_CERT_FILE and SSL_CERT_DIR name. Made once a process.

    One that must be trusted besides may be loaded into it; nothing can make it trust everything.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def loaded_context() -> ssl.SSLContext:
    """`default_context`, with its reading of some hundred certificates (20 ms) kept off the event loop."""
    if default_context.cache_info().currsize:
        return default_context()
    return await asyncio.get_running_loop().run_in_executor(None, default_context)
