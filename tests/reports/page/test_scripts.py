"""The page's modules, joined into one script."""

import re
import tomllib
from pathlib import Path

import pytest

from cxrscan import templates
from cxrscan.reports.page.scripts import joined_script

SCRIPTS = Path(next(iter(templates.__path__))) / "scripts"


def joined(folder: Path, **modules: str) -> str:
    """Join ``main`` of some modules."""
    for name, text in modules.items():
        (folder / f"{name}.mjs").write_text(text, encoding="utf-8")
    return joined_script(folder / "main.mjs")


def test_a_module_stands_after_those_it_needs_and_in_a_scope_of_its_own(tmp_path):
    script = joined(
        tmp_path,
        main='import { b } from "./b.mjs";\nimport {\n  a as first,\n} from "./a.mjs";\nb(first);\n',
        b='import { a } from "./a.mjs";\nconst own = a;\nexport function b(x) { return own + x; }\n',
        a="export const a = 1;\nconst own = 2;\n",
    )
    assert script.index("const $a") < script.index("const $b") < script.index("const $main")
    assert script.count("const $a = ") == 1
    assert "const {\n  a: first,\n} = $a;" in script
    assert "return { a };" in script
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_modules_that_need_each_other_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"main.mjs > a.mjs > main.mjs"):
        joined(
            tmp_path, main='import { a } from "./a.mjs";\n', a='import { b } from "./main.mjs";\nexport const a = b;\n'
        )


@pytest.mark.parametrize(
    "statement",
    [
        'import a from "./a.mjs";',
        'import * as a from "./a.mjs";',
        'import "./a.mjs";',
        'import { a } from "somewhere";',
        "export default 1;",
        "export let a = 1;",
        "export { a };",
    ],
)
def test_a_statement_that_would_be_joined_wrongly_is_refused(tmp_path, statement):
    with pytest.raises(ValueError, match="can be joined"):
        joined(tmp_path, main=f"{statement}\n", a="export const a = 1;\n")


def test_the_page_needs_every_module():
    needed = joined_script(SCRIPTS / "main.mjs") + joined_script(SCRIPTS / "theme.mjs")
    modules = {path.stem for path in SCRIPTS.glob("*.mjs")}
    assert {name for name in modules if f"const ${name} = " not in needed} == {"types"}


def test_every_import_and_export_is_used():
    texts = {path.stem: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.mjs")}
    imported = {
        (module, name.strip())
        for text in texts.values()
        for names, module in re.findall(r'^import \{([^}]*)\} from "\./(\w+)\.mjs";', text, re.MULTILINE)
        for name in names.split(",")
        if name.strip()
    }
    exported = {
        (module, name)
        for module, text in texts.items()
        for name in re.findall(r"^export (?:function|class|const) (\w+)", text, re.MULTILINE)
    }
    assert imported == exported - USED_BY_TESTS_ALONE


USED_BY_TESTS_ALONE = {("statistics", "wilson"), ("statistics", "estimateOf"), ("statistics", "predictiveValuesAt")} | {
    ("wording", "significant"),
    ("wording", "percentText"),
    ("filters", "outcomesOf"),
    ("looking", "greyFilter"),
}


def test_the_wheel_carries_every_file_of_the_page():
    settings = tomllib.loads((SCRIPTS.resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = {
        path
        for pattern in settings["tool"]["setuptools"]["package-data"]["cxrscan.templates"]
        for path in SCRIPTS.parent.glob(pattern)
    }
    files = {path for path in SCRIPTS.parent.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert files == shipped
