"""What servers answer, recorded in our own words and numbers: functions of a path and headers."""

import hashlib
import io
import json
import re
import zipfile
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet


def materials_project(crystals, key):
    """The two routes of the Materials Project that its client asks for these crystals; pages are counted from 1."""

    def answer(path, headers):
        url, asked = urlsplit(path), {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}
        if url.path.strip("/") == "heartbeat":
            return ok({"db_version": "2025.01.01", "version": "0.85.0", "access_controlled_batch_ids": []})
        if headers.get("x-api-key") != key:
            return 401, {}, json.dumps({"detail": "no such key"}).encode()
        number, size = int(asked["_page"]), 2
        found = [
            {"material_id": crystal.name, "structure": crystal.to_pymatgen().as_dict()}
            for crystal in crystals[size * (number - 1) : size * number]
        ]
        return ok({"data": found, "meta": {"total_doc": len(crystals)}})

    return answer


def ok(content):
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


COMMIT, CONVERTED = "a" * 40, "b" * 40


def hub(files, card=None, converted=None):
    """The hub's routes that its client asks for a data set with these files, and the hub's own parquet of it."""

    def answer(path, _):
        path = unquote(urlsplit(path).path)
        if found := re.fullmatch(r"/api/datasets/[^/]+/[^/]+(/revision/(.+))?", path):
            if found[2] == "refs/convert/parquet":
                return info(CONVERTED, converted or {}, None)
            return info(COMMIT, files, card) if found[2] in (None, COMMIT, "main") else missing("RevisionNotFound")
        if found := re.fullmatch(r"/datasets/[^/]+/[^/]+/resolve/([^/]+)/(.+)", path):
            content = {COMMIT: files, CONVERTED: converted or {}}[found[1]].get(found[2])
            if content is not None:
                tag = hashlib.sha256(content).hexdigest()
                return 200, {"ETag": f'"{tag}"', "X-Repo-Commit": found[1]}, content
        return missing("EntryNotFound")

    return answer


def missing(code):
    return 404, {"X-Error-Code": code, "X-Error-Message": code}, b"{}"


def info(commit, files, card):
    siblings = [{"rfilename": name} for name in files]
    return ok({"id": "us/metals", "sha": commit, "siblings": siblings, "cardData": card, "tags": [], "downloads": 0})


def table(crystals, **more):
    """A parquet file of crystals in columns as OPTIMADE and LeMat-Bulk have them."""
    rows = [
        {
            "immutable_id": crystal.name,
            "lattice_vectors": crystal.lattice.tolist(),
            "cartesian_site_positions": (crystal.frac_coords @ crystal.lattice).tolist(),
            "species_at_sites": crystal.symbols,
        }
        | {name: make(crystal) for name, make in more.items()}
        for crystal in crystals
    ]
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def jarvis(crystals, member):
    """A zip of JARVIS: a list of records, with NaN as Python writes it."""
    records = [
        {
            "jid": crystal.name,
            "gap": float("nan"),
            "atoms": {
                "lattice_mat": crystal.lattice.tolist(),
                "coords": crystal.frac_coords.tolist(),
                "elements": crystal.symbols,
                "cartesian": False,
            },
        }
        for crystal in crystals
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, json.dumps(records))
    return file.getvalue()


def one_file(content, cut=None, begun=None):
    """A server of one file that knows ranges.

    `cut` holds how many bytes the next answers break off after, and `begun` takes where each of them begins.
    """

    def answer(_, headers):
        begin = int((re.fullmatch(r"bytes=(\d+)-", headers.get("Range", "")) or ["", 0])[1])
        begin = begin if headers.get("If-Range") == '"v1"' else 0
        if begun is not None:
            begun.append(begin)
        if begin >= len(content):
            return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
        part = content[begin:]
        sent = part[: cut.pop(0)] if cut else part
        more = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        return (206 if begin else 200), {"ETag": '"v1"', "Content-Length": str(len(part)), **more}, sent

    return answer
