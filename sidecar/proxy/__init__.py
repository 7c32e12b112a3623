"""The wire on both sides: the only package that opens sockets for apps and providers.

server      accepts connections, within limits
admission   who may ask, and for what
body        the app's request body, kept so that it can be sent again
handler     one app request, start to finish
upstream    the port that sends
relay       the response on its way to the app
answers     what the sidecar itself says
admin       the other port
"""

# Before anything of aiohttp is imported.
from sidecar.proxy import certificates as certificates
