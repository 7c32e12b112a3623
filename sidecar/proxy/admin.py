from aiohttp import web


class AdminHandler:
    def __init__(self, view, hosts):
        self.view = view

    async def __call__(self, request):
        r = web.Response(text="ok")
        return r
