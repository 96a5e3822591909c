"""The benchmark: lor3 beside a bare aiohttp proxy, in one run on one machine (`make bench`)."""
