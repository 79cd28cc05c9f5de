"""The learning curve of a training that goes on, however it ended."""

import json

import pytest

from xtalcodec.training import progress
from xtalcodec.training.progress import SCORES, Progress, Report

ROWS = [json.dumps({"step": step, "crystals": 4 * step, "train/heat": 0.5}) for step in (10, 20, 30)]


@pytest.mark.parametrize(("step", "kept"), [(0, 0), (10, 1), (25, 2), (30, 3)])
@pytest.mark.parametrize("torn", ["", '{"step": 30, "crys', '{"step": 3'])
def test_a_curve_goes_on_from_the_checkpoint_and_what_was_half_written_is_dropped(tmp_path, step, kept, torn):
    curve = tmp_path / "curve.jsonl"
    curve.write_text("".join(row + "\n" for row in ROWS) + torn)
    report = Report(tmp_path, 4, [], Progress(step=step))
    report.note(Progress(step=31), "samples", {"valid": 1.0})
    report.close()
    rows = [json.loads(line) for line in curve.read_text().splitlines()]
    assert [row["step"] for row in rows] == [*[10, 20, 30][:kept], 31]


def test_the_log_keeps_what_was_noted_up_to_the_checkpoint_and_no_more(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for begun, noted in ((0, (10, 20, 30)), (20, (40,))):
        report = Report(tmp_path, 4, [], Progress(step=begun))
        for step in noted:
            report.note(Progress(step=step), "val", {"match_rate": 1.0})
        report.close()
    log = EventAccumulator(str(tmp_path / "tensorboard"))
    log.Reload()
    assert [event.step for event in log.Scalars("val/match_rate")] == [10, 20, 40]


def test_held_out_crystals_are_spread_over_all_of_them(tmp_path, monkeypatch, mp, prototypes):
    seen = []
    scores = dict.fromkeys(SCORES, 1.0)
    monkeypatch.setattr(progress, "reconstruct", lambda _, crystals, **__: seen.append(crystals))
    monkeypatch.setattr(progress, "summary", lambda *_: scores)
    report = Report(tmp_path, 4, [], Progress())
    report.held_out(Progress(), mp, prototypes[:19], 10)
    report.close()
    assert seen == [[prototypes[k] for k in (0, 1, 3, 5, 7, 9, 11, 13, 15, 17)]]
