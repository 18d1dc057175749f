"""No client takes a part of an export for the whole, wherever and however it is cut.

A file of 2,000 rows is cut where a row ends, for there nothing else looks wrong. The server breaks inside, at a byte
that the test names; what the client sees of it is the server's own doing. `scripts/campaign cuts` does at every row
what is done here at some.
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from cuts import LINES, READERS, CutServer, Download, File, Reader, Source, length_told, submitted

ROWS = 2_000
# Downloads of one process of a client.
GROUP = 50
# Milliseconds from the last byte to the error. Without any, the bytes before it are mostly lost with it.
PAUSE = 2


def named(readers) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("reader", readers, ids=lambda reader: reader.name)


def with_coding(first: int) -> pytest.MarkDecorator:
    """Every reader with each of its codings from this one on: the first is none."""
    pairs = [(reader, coding) for reader in READERS for coding in reader.codings[first:]]
    return pytest.mark.parametrize(("reader", "coding"), pairs, ids=[f"{one.name}-{coding}" for one, coding in pairs])


@dataclass
class Batch:
    """A batch in a folder, in which one server after another runs."""

    folder: Path
    path: str
    file: File

    def places(self) -> list[int]:
        """Where nothing is there yet, the header, each row. At the last all rows are there, and nobody said so yet."""
        return [0, *self.file.row_ends()]


@pytest.fixture(scope="module")
def batch(tmp_path_factory) -> Batch:
    """A finished one, in a folder without a server."""
    folder = tmp_path_factory.mktemp("cuts")
    with CutServer(folder / "data") as server:
        path = submitted(server, folder, ROWS)
        made = Batch(folder / "data", path, File(server.source(path), sealed=True))
        server.end()
    assert len(made.places()) == ROWS + 2
    return made


@pytest.fixture(scope="module")
def server(batch, tmp_path_factory):
    """One that outlives what befalls its exports."""
    folder = tmp_path_factory.mktemp("server") / "data"
    shutil.copytree(batch.folder, folder)
    with CutServer(folder) as running:
        yield running


@pytest.fixture(scope="module")
def every_cut(request) -> bool:
    return request.config.getoption("every_cut")


def spread(places, count: int) -> list[int]:
    """So many of them, with the first and the last."""
    return [places[no * (len(places) - 1) // (count - 1)] for no in range(count)]


def coded_places(file: File, coding: str) -> list[int]:
    length = len(file.sent[coding])
    if coding == "gzip":
        # It ends with an empty block of 2 bytes, a checksum and a length of 4 bytes each.
        return [*spread(range(length - 10), 9), length - 10, length - 8, length - 4, length]
    return sorted({*file.frame_ends(), *spread(range(length), 10)})


def check_cut(reader: Reader, download: Download, file: File, coding: str, before: int) -> None:
    """The one check of all tests here: the reader told of the cut, and got nothing from behind it."""
    if download.error is None and reader.over_http2 and file.sealed and before == len(file.sent[coding]):
        # HTTP/2 tells the length of a finished batch's file, so that curl leaves when all of it is there.
        check_whole(download, file, coding)
        return
    assert download.error is not None, f"{len(download.got)} bytes of {len(file.whole)} were taken for the whole"
    assert file.part(coding, before).startswith(download.got)
    assert download.carried is None or download.carried <= before


def check_whole(download: Download, file: File, coding: str) -> None:
    assert download.error is None, download.error
    assert download.got == file.whole
    assert download.carried in (None, len(file.sent[coding]))


def befall(
    server: CutServer, what: str, places: list[int], reader: Reader, source: Source, folder: Path
) -> Iterator[tuple[int, Download]]:
    """One download for each place, and what came of it."""
    server.order("spare")
    for first in range(0, len(places), GROUP):
        some = places[first : first + GROUP]
        server.order(*(f"{what} {place} {PAUSE}" for place in some))
        yield from zip(some, reader.read(source, len(some), folder), strict=True)


def check_cuts(
    server: CutServer, what: str, places: list[int], reader: Reader, source: Source, file: File, folder: Path
) -> None:
    exact = 0
    for place, download in befall(server, what, places, reader, source, folder):
        check_cut(reader, download, file, source.coding, place)
        exact += download.got == file.part(source.coding, place)
    # Where a reader got nothing it was not tested how it takes a row's end.
    assert exact > len(places) // 2 or not reader.keeps_all
    # Each download met what was meant for it: nothing of that is left.
    (control,) = reader.read(source, 1, folder)
    check_whole(control, file, source.coding)


@with_coding(0)
def test_an_undisturbed_download_is_whole(reader, coding, server, batch, tmp_path):
    if why := reader.lacks(coding):
        pytest.skip(why)
    for download in reader.read(server.source(batch.path).coded(coding), 2, tmp_path):
        check_whole(download, batch.file, coding)


@named(READERS)
def test_an_error_where_a_row_ends_is_no_end(reader, server, batch, every_cut, tmp_path):
    places = batch.places()
    if not every_cut:
        places = sorted({*places[:3], *places[::25], *places[-2:]})
    check_cuts(server, "fail", places, reader, server.source(batch.path), batch.file, tmp_path)


@named(READERS)
def test_a_panic_where_a_row_ends_is_no_end(reader, server, batch, tmp_path):
    places = spread(batch.places(), 12)
    check_cuts(server, "panic", places, reader, server.source(batch.path), batch.file, tmp_path)


@with_coding(1)
def test_an_error_in_a_compressed_file_is_no_end(reader, coding, server, batch, tmp_path):
    if why := reader.lacks(coding):
        pytest.skip(why)
    source = server.source(batch.path).coded(coding)
    check_cuts(server, "fail", coded_places(batch.file, coding), reader, source, batch.file, tmp_path)


@pytest.mark.parametrize("order", ["close", "revoke"])
def test_a_lost_database_or_key_where_a_row_ends_is_no_end(order, batch, every_cut, tmp_path):
    def deed(server: CutServer) -> None:
        server.order(order)

    # An export that has sent all of its rows needs neither any more.
    for place in deed_places(batch.places()[:-1], every_cut):
        with CutServer(batch.folder) as server:
            for reader, download in read_at_once(server, place, deed, batch, tmp_path):
                check_cut(reader, download, batch.file, "identity", place)
                # That takes a second, in which all the rows before it come.
                assert download.got == batch.file.whole[:place]


@pytest.mark.parametrize("deed", [CutServer.end, CutServer.kill], ids=["SIGTERM", "SIGKILL"])
def test_the_end_of_a_server_where_a_row_ends_is_none_of_the_file(deed, batch, every_cut, tmp_path):
    for place in deed_places(batch.places(), every_cut):
        with CutServer(batch.folder) as server:
            for reader, download in read_at_once(server, place, deed, batch, tmp_path):
                check_cut(reader, download, batch.file, "identity", place)


def test_readers_that_only_have_to_wait_get_the_whole(server, batch, tmp_path):
    for place in spread(batch.places(), 3):
        for _, download in read_at_once(server, place, lambda server: server.order("go"), batch, tmp_path):
            check_whole(download, batch.file, "identity")


def deed_places(places: list[int], every_cut: bool) -> list[int]:
    """A dozen, or one in the middle and the last."""
    dozen = spread(places, 12)
    return dozen if every_cut else dozen[5::6]


def read_at_once(
    server: CutServer, place: int, deed: Callable[[CutServer], None], batch: Batch, folder: Path
) -> list[tuple[Reader, Download]]:
    """One download of every reader. The deed is done while each waits for what comes behind this place."""
    server.order("spare", *(f"wait {place}" for _ in READERS))
    source = server.source(batch.path)
    with ThreadPoolExecutor(len(READERS)) as pool:
        reading = [pool.submit(reader.read, source, 1, folder) for reader in READERS]
        server.wait_until_reached(len(READERS))
        deed(server)
    return [(reader, download) for reader, one in zip(READERS, reading, strict=True) for download in one.result()]


def check_is_found(reader: Reader, download: Download, file: File, coding: str, before: int) -> None:
    """The check fails, the same one that all the others here pass: a part ended as if it were the whole."""
    with pytest.raises(AssertionError, match="taken for the whole"):
        check_cut(reader, download, file, coding, before)
    assert download.got == file.part(coding, before)


@with_coding(0)
def test_a_planted_bug_is_found(reader, coding, server, batch, tmp_path):
    """The server swallows the error."""
    if why := reader.lacks(coding):
        pytest.skip(why)
    places = spread(batch.places(), 13) if coding == "identity" else coded_places(batch.file, coding)
    source = server.source(batch.path).coded(coding)
    # Behind the last place is nothing to be missed.
    for place, download in befall(server, "unheard", places[:-1], reader, source, tmp_path):
        # Over HTTP/2 a finished batch's file has a length, which every reader compares with what came.
        by_length = reader.over_http2
        by_frame = coding == "zstd" and reader.checks_frames and place not in batch.file.frame_ends()
        if by_length or by_frame:
            check_cut(reader, download, batch.file, coding, place)
        else:
            check_is_found(reader, download, batch.file, coding, place)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory) -> Batch:
    """One of which a result is missing, so that the length of its file is not known."""
    folder = tmp_path_factory.mktemp("unfinished")
    with CutServer(folder / "data") as server:
        path = submitted(server, folder, ROWS, slow=1)
        return Batch(folder / "data", path, File(server.source(path), sealed=False))


@named([reader for reader in READERS if reader.over_http2])
def test_over_http2_without_a_length_a_cut_is_no_end_and_a_planted_bug_is_found(reader, unfinished, tmp_path):
    places = spread(unfinished.places(), 6)
    # Every start gives the missing result 20 seconds.
    with CutServer(unfinished.folder) as server:
        source = server.source(unfinished.path)
        check_cuts(server, "fail", places, reader, source, unfinished.file, tmp_path)
        for place, download in befall(server, "unheard", places[:-1], reader, source, tmp_path):
            check_is_found(reader, download, unfinished.file, "identity", place)
        assert length_told(source) is None, "the batch was finished too early: nothing was tested"


def test_a_loop_over_lines_that_counts_them_takes_no_part_for_the_whole(server, batch, tmp_path):
    source = server.source(batch.path)
    *places, last = spread(batch.places(), 13)
    check_cuts(server, "fail", places, LINES, source, batch.file, tmp_path)
    # Where all rows are there it misses nothing.
    for _, download in befall(server, "fail", [last], LINES, source, tmp_path):
        check_whole(download, batch.file, "identity")
