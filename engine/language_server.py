"""Language server: `tocsin lsp`, faults, completion, hover texts and layout while a pack is typed.

The Language Server Protocol over stdin and stdout, as much of it as these four need: messages of
JSON behind a header that says how long they are.  Faults are those of `tocsin check`: the text is
read together with the other packs of its folder, as they are on disk or in the editor.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from engine.errors import EXIT_OK
from rules import book as rule_book
from rules.canonical import NotLaidOut, canonical
from rules.editing import meaning, spot_of, suggestions
from rules.errors import Fault
from rules.yaml_text import FILE_BYTES_MAX

Message = dict[str, object]

SEVERITIES: Final = {"error": 1, "warning": 2, "note": 3}
KINDS: Final = {"key": 10, "word": 12, "feature": 3}
NEIGHBOURS_MAX: Final = 200
METHOD_NOT_FOUND: Final = -32601


def serve() -> int:
    """Serve an editor until it says `exit`."""
    server = LanguageServer(sys.stdout.buffer)
    while (message := read_message(sys.stdin.buffer)) is not None:
        if not server.take(message):
            break
    return EXIT_OK


def read_message(stream: BinaryIO) -> Message | None:
    """The next message; None at the end of the stream."""
    length = 0
    while line := stream.readline():
        name, _, value = line.decode("ascii", "replace").partition(":")
        if name.lower() == "content-length":
            length = int(value)
        elif not line.strip():
            found: Message = json.loads(stream.read(length))
            return found
    return None


def pack_message(message: Message) -> bytes:
    """A message behind its header."""
    body = json.dumps(message, ensure_ascii=False).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass(slots=True)
class LanguageServer:
    """The texts that an editor has open, and what is said about them."""

    out: BinaryIO
    texts: dict[str, str] = field(default_factory=dict)

    def take(self, message: Message) -> bool:
        """Answer one message; False when the editor is done."""
        method = str(message.get("method", ""))
        params = _map(message.get("params"))
        if method == "exit":
            return False
        if method in ("textDocument/didOpen", "textDocument/didChange", "textDocument/didSave"):
            self._keep(params)
        elif method == "textDocument/didClose":
            self.texts.pop(_uri(params), None)
        elif "id" in message:
            self._answer(message["id"], method, params)
        return True

    def _answer(self, number: object, method: str, params: Mapping[str, object]) -> None:
        known: dict[str, Callable[[Mapping[str, object]], object]] = {
            "initialize": self._initialize,
            "shutdown": lambda _: None,
            "textDocument/completion": self._complete,
            "textDocument/hover": self._hover,
            "textDocument/formatting": self._format,
        }
        answer: Message = {"jsonrpc": "2.0", "id": number}
        if method in known:
            answer["result"] = known[method](params)
        else:
            answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"no method {method}"}
        self._send(answer)

    def _send(self, message: Message) -> None:
        self.out.write(pack_message(message))
        self.out.flush()

    def _initialize(self, params: Mapping[str, object]) -> object:
        del params
        return {
            "capabilities": {
                "textDocumentSync": {"openClose": True, "change": 1, "save": True},
                "completionProvider": {"triggerCharacters": [" ", "{", "."]},
                "hoverProvider": True,
                "documentFormattingProvider": True,
            },
            "serverInfo": {"name": "tocsin"},
        }

    def _keep(self, params: Mapping[str, object]) -> None:
        """Remember a text as it is now, and tell what is wrong with it."""
        uri = _uri(params)
        changes = params.get("contentChanges")
        if isinstance(changes, list) and changes:
            self.texts[uri] = str(_map(changes[-1]).get("text", ""))
        elif "text" in _map(params.get("textDocument")):
            self.texts[uri] = str(_map(params.get("textDocument"))["text"])
        if uri in self.texts:
            found = [_diagnostic(fault, self.texts[uri]) for fault in self._faults(uri)]
            params_out: Message = {"uri": uri, "diagnostics": found}
            self._send({"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics",
                        "params": params_out})  # fmt: skip

    def _faults(self, uri: str) -> list[Fault]:
        """Everything wrong with a text, read among the packs of its folder."""
        path = path_of(uri)
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            for other in self._neighbours(path):
                text = self.texts.get(other.as_uri())
                content = other.read_bytes() if text is None else text.encode()
                (home / other.name).write_bytes(content)
            (home / path.name).write_text(self.texts[uri], encoding="utf-8")
            book = rule_book.load([home])
            mine = str(home / path.name)
            return [fault for fault in book.faults.sorted() if fault.place.file == mine]

    def _neighbours(self, path: Path) -> list[Path]:
        if not path.parent.is_dir():
            return []
        found = [p for p in sorted(path.parent.glob("*.y*ml")) if p != path and _is_pack(p)]
        return found[:NEIGHBOURS_MAX]

    def _complete(self, params: Mapping[str, object]) -> object:
        text, line, column = self._place(params)
        return [
            {
                "label": one.label,
                "kind": KINDS[one.kind],
                "documentation": one.text,
                "insertText": one.insert,
            }
            for one in suggestions(spot_of(text, line, column))
        ]

    def _hover(self, params: Mapping[str, object]) -> object:
        text, line, column = self._place(params)
        said = meaning(spot_of(text, line, column), _line(text, line))
        return {"contents": {"kind": "markdown", "value": said}} if said else None

    def _format(self, params: Mapping[str, object]) -> object:
        text = self.texts.get(_uri(params), "")
        try:
            laid_out = canonical(text)
        except NotLaidOut:
            return []
        end = {"line": len(text.splitlines()) + 1, "character": 0}
        whole = {"start": {"line": 0, "character": 0}, "end": end}
        return [] if laid_out == text else [{"range": whole, "newText": laid_out}]

    def _place(self, params: Mapping[str, object]) -> tuple[str, int, int]:
        """The text, and the cursor in characters; editors count in UTF-16."""
        text = self.texts.get(_uri(params), "")
        position = _map(params.get("position"))
        line = int(str(position.get("line", 0)))
        units = int(str(position.get("character", 0)))
        raw = _line(text, line).encode("utf-16-le")[: 2 * units]
        return text, line, len(raw.decode("utf-16-le", "ignore"))


def path_of(uri: str) -> Path:
    """The file of a URI."""
    return Path(unquote(urlsplit(uri).path))


def _is_pack(path: Path) -> bool:
    try:
        head = path.read_bytes()[:FILE_BYTES_MAX]
    except OSError:
        return False
    return any(line.startswith(b"tocsin:") for line in head.splitlines())


def _diagnostic(fault: Fault, text: str) -> Message:
    """A fault in the words of the protocol."""
    place = fault.place
    line = max(0, place.line - 1)
    column = max(0, place.column - 1)
    start = _units(text, line, column)
    end = _units(text, line, column + place.length)
    parts = [fault.message, fault.help, fault.note]
    return {
        "range": {
            "start": {"line": line, "character": start},
            "end": {"line": line, "character": end},
        },
        "severity": SEVERITIES[fault.kind],
        "code": fault.code,
        "source": "tocsin",
        "message": "\n".join(part for part in parts if part),
    }


def _units(text: str, line: int, column: int) -> int:
    return len(_line(text, line)[:column].encode("utf-16-le")) // 2


def _line(text: str, line: int) -> str:
    lines = text.splitlines()
    return lines[line] if line < len(lines) else ""


def _uri(params: Mapping[str, object]) -> str:
    return str(_map(params.get("textDocument")).get("uri", ""))


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
