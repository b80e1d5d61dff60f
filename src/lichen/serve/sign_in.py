"""Sign in: what a browser gets that does not show the token. It needs nothing that is guarded."""

from __future__ import annotations

from lichen.calls.booking import block

SIGN_IN_HEAD = block(
    [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (
            b"content-security-policy",
            (
                b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                b"frame-ancestors 'none'; form-action 'self'"
            ),
        ),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]
)
# The form asks for /?token=..., which answers with a cookie and leads to / without the token.
SIGN_IN_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Sign in · lichen</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}
input,button{font:inherit;padding:.3rem .6rem}label{display:block}</style></head>
<body><main><h1>lichen needs its token</h1>
<p>It is what LICHEN_TOKEN says where <code>lichen serve</code> was started. Who runs the service
can tell you. This browser keeps a cookie made from it for 30 days.</p>
<form action="/" method="get"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" required autofocus>
<button>Sign in</button></form>
<p>A program shows it as its API key, or in the header <code>x-lichen-token</code>.</p>
</main></body></html>
""".encode()
