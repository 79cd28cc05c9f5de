"""What was fetched is kept, by process after process and by several at once."""

from multiprocessing import get_context

import pytest

from xtalcodec.datasets import kept
from xtalcodec.datasets.source import SourceError


def numbers(folder, last=5):
    """Pages with a number each, every fetch of which is a line in a file."""

    def fetch(cursor):
        with (folder / "fetched").open("a") as file:
            file.write(f"{cursor}\n")
        k = int(cursor or 0)
        return kept.Page([{"id": k}], str(k + 1) if k < last else None)

    return [page.records[0]["id"] for page in kept.pages(folder, fetch)]


def test_processes_that_ask_at_once_fetch_each_page_once(cache):
    folder = kept.folder_of("x:y", {"q": 1})
    context = get_context("spawn")
    processes = [context.Process(target=numbers, args=(folder,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert numbers(folder) == [0, 1, 2, 3, 4, 5]
    assert sorted((folder / "fetched").read_text().split()) == ["1", "2", "3", "4", "5", "None"]
    assert folder.is_relative_to(cache)


def test_each_question_has_a_folder_of_its_own_that_can_be_forgotten():
    one, other = kept.folder_of("x:y", {"q": 1}), kept.folder_of("x:y", {"q": 2})
    assert one != other
    assert kept.folder_of("x:z", {"q": 3}) not in (one, other)
    numbers(one, 0)
    assert [item.source for item in kept.contents()] == ["x:y", "x:y", "x:z"]
    assert kept.forget("x:y") > 0
    assert [item.source for item in kept.contents()] == ["x:z"]
    with pytest.raises(SourceError, match="nothing is kept of 'x:y'; have x:z"):
        kept.forget("x:y")
