"""An editor talks to `tocsin lsp`: it opens, types, asks and leaves."""

import io
import subprocess
import sys

from engine.language_server import LanguageServer, pack_message, read_message
from tests.engine.journals import pack, rule


class Editor:
    """One server, and everything that it has said."""

    def __init__(self):
        self.out = io.BytesIO()
        self.server = LanguageServer(self.out)
        self.number = 0

    def notify(self, method, **params):
        self.server.take({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, **params):
        self.number += 1
        self.server.take({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        answer = self.said()[-1]
        assert answer["id"] == self.number
        return answer

    def said(self):
        stream = io.BytesIO(self.out.getvalue())
        found = []
        while (message := read_message(stream)) is not None:
            found.append(message)
        return found

    def open(self, uri, text):
        self.notify("textDocument/didOpen", textDocument={"uri": uri, "text": text})
        return self.said()[-1]["params"]["diagnostics"]

    def change(self, uri, text):
        self.notify(
            "textDocument/didChange", textDocument={"uri": uri}, contentChanges=[{"text": text}]
        )
        return self.said()[-1]["params"]["diagnostics"]


def errors(found):
    return [one for one in found if one["severity"] == 1]


def test_faults_come_while_typing_with_their_places(tmp_path):
    """The caret of `check` is the squiggle of the editor, also behind Chinese letters."""
    editor = Editor()
    uri = (tmp_path / "p.yaml").as_uri()
    assert errors(editor.open(uri, pack(rule()))) == []
    text = pack(rule()).replace("zh: 试验, en: Trial", "zh: 😀试验, em: Trial")
    [fault] = errors(editor.change(uri, text))
    assert fault["code"] == "E021"
    assert "known: `en`, `zh`" in fault["message"]
    line = text.splitlines()[fault["range"]["start"]["line"]]
    units = line[: line.index("em:")].encode("utf-16-le")
    assert fault["range"]["start"]["character"] == len(units) // 2
    assert fault["range"]["end"]["character"] == len(units) // 2 + 2
    assert errors(editor.change(uri, pack(rule()))) == []


def test_other_packs_of_the_folder_count(tmp_path):
    """A name that stands twice is a fault although each file is right."""
    (tmp_path / "other.yaml").write_text(pack(rule(), name="gas"))
    (tmp_path / "notes.yaml").write_text("a: 1\n")
    editor = Editor()
    found = editor.open((tmp_path / "p.yaml").as_uri(), pack(rule(), name="gas"))
    assert [one["code"] for one in errors(found)] == ["E024"]


def test_completion_hover_and_layout_answer(tmp_path):
    editor = Editor()
    uri = (tmp_path / "p.yaml").as_uri()
    text = pack(rule()).replace("hazard: gas", "hazard:   gas")
    editor.open(uri, text)
    line = next(n for n, one in enumerate(text.splitlines()) if "ladder:" in one)
    here = {"textDocument": {"uri": uri}, "position": {"line": line, "character": 6}}

    capabilities = editor.ask("initialize")["result"]["capabilities"]
    offered = editor.ask("textDocument/completion", **here)["result"]
    hover = editor.ask("textDocument/hover", **here)["result"]
    [edit] = editor.ask("textDocument/formatting", textDocument={"uri": uri})["result"]

    assert capabilities["hoverProvider"]
    assert "flap" in [one["label"] for one in offered]
    assert "阶梯阈值" in hover["contents"]["value"]
    assert edit["newText"] == pack(rule())
    assert editor.ask("textDocument/rename")["error"]["code"] == -32601


def test_the_command_serves_until_it_is_told_to_go():
    """The whole way: a process, its header, its end."""
    asked = pack_message({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    asked += pack_message({"jsonrpc": "2.0", "method": "exit"})
    done = subprocess.run(
        [sys.executable, "-m", "engine", "lsp"], input=asked, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = read_message(io.BytesIO(done.stdout))
    assert answer is not None
    assert answer["result"]["serverInfo"] == {"name": "tocsin"}
