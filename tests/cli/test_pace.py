"""Long work says how long it takes, and without a terminal that it goes on."""

from ghbench.cli.pace import Pace


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def told(steps, *, lines, total=1000, unit="images"):
    said, clock = [], Clock()
    pace = Pace(said.append, lines=lines, clock=clock)
    for seconds, done in steps:
        clock.now = seconds
        pace.report(done, total, "net on orl", unit)
    return said


def test_the_estimate_leaves_the_first_batch_out_and_is_said_once():
    steps = [(0, 0), (20, 10), (22, 20), (24, 30)]
    assert told(steps, lines=False) == ["net on orl: about 3 min for 980 images; cached afterwards"]


def test_a_first_batch_that_is_slow_itself_is_enough():
    assert told([(0, 0), (40, 10)], lines=False) == ["net on orl: about 66 min for 990 images; cached afterwards"]


def test_a_first_batch_that_waited_for_something_else_is_corrected_by_the_second():
    steps = [(0, 0), (900, 10), (910, 20), (920, 30)]
    assert told(steps, lines=False) == [
        "net on orl: about 1485 min for 990 images; cached afterwards",
        "net on orl: about 16 min for 980 images; cached afterwards",
    ]
    assert told([(0, 0), (40, 10), (80, 20)], lines=False) == told([(0, 0), (40, 10)], lines=False)


def test_short_work_says_nothing():
    assert told([(second, 20 * second) for second in range(50)], lines=True) == []


def test_a_line_a_minute_where_there_is_no_bar():
    steps = [(second, second) for second in range(0, 200, 5)]
    assert told(steps, lines=True)[1:] == ["net on orl: 60/1,000 images", "net on orl: 120/1,000 images",
                                           "net on orl: 180/1,000 images"]  # fmt: skip
    assert len(told(steps, lines=False)) == 1


def test_bytes_and_unknown_totals():
    assert told([(0, 0), (61, 5_000_000)], lines=True, total=None, unit="bytes") == ["net on orl: 5 MB"]
