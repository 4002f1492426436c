"""Ids of answers: distinct, in every process."""

import os

from recsys.serving.answer import new_id


def test_ids_are_distinct_hex_digits():
    ids = {new_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert {len(id_) for id_ in ids} == {16}
    assert set("".join(ids)) <= set("0123456789abcdef")


def test_a_forked_process_makes_others():
    def of_child():
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, new_id().encode())
            os._exit(0)
        os.wait()
        return os.read(reading, 16).decode()

    made = [of_child(), of_child(), new_id()]
    assert len(set(made)) == 3
