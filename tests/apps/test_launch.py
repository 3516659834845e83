import pytest

from jaxpose import tables
from jaxpose.apps import launch
from jaxpose.types import Table


def reported(call, capsys) -> str:
    with pytest.raises(ValueError) as caught:
        call()
    launch.report_error(caught.type, caught.value, caught.value.__traceback__)
    return capsys.readouterr().err


def test_our_refusals_come_without_a_traceback(capsys):
    said = reported(lambda: launch.start_devices("somewhere,2"), capsys)
    assert "--distributed=somewhere,2 is neither `auto` nor ADDRESS:PORT" in said
    assert "Traceback" not in said


def test_a_bug_of_ours_comes_with_its_traceback(capsys):
    wrong = Table(name="", convention="", values={"a": "no number"}, mean=1.0)
    said = reported(lambda: tables.text(wrong), capsys)
    assert "Traceback" in said and "tables.py" in said
