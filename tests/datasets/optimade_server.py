"""The reference server of OPTIMADE with crystals of ours, in a process of its own: `optimade_server.py FOLDER`.

It takes a free port and writes it to FOLDER/port; each request is a line of FOLDER/requests. While FOLDER/broken is
there, it answers with status 500 to all but the first page.
"""

import json
import logging
import os
import socket
import sys
from pathlib import Path


def main(folder):
    """Serve until killed."""
    os.environ["OPTIMADE_LOG_DIR"] = str(folder)
    import uvicorn
    from optimade.server.config import ServerConfig
    from optimade.server.create_app import create_app

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        app = create_app(ServerConfig(insert_test_data=False, base_url=address))
        app.state.entry_collections["structures"].insert(json.loads((folder / "crystals.json").read_text()))
        logging.disable()
        (folder / "port").write_text(str(port))
        server = uvicorn.Server(uvicorn.Config(watched(app, folder), log_level="error", lifespan="off"))
        server.run(sockets=[listening])


def watched(app, folder):
    """Note each request; break down where asked to."""

    async def wrapped(scope, receive, send):
        if scope["type"] == "http":
            asked = f"{scope['path']}?{scope['query_string'].decode()}"
            with (folder / "requests").open("a") as file:
                file.write(asked + "\n")
            if "page_offset" in asked and (folder / "broken").exists():
                await send({"type": "http.response.start", "status": 500, "headers": []})
                await send({"type": "http.response.body", "body": b"broken"})
                return
        await app(scope, receive, send)

    return wrapped


if __name__ == "__main__":
    main(Path(sys.argv[1]))
