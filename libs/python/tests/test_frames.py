import io
import json
import unittest
from datetime import date, datetime, timezone

import numpy as np
import pandas as pd

from aimass import AimassError
from aimass.frames import column_types, frame_of, records, write_json_lines


class RowsOfADataFrame(unittest.TestCase):
    def test_keep_every_digit_of_every_kind_of_number(self) -> None:
        frame = pd.DataFrame(
            {
                "whole": [2**53 + 1, -1],
                "real": [0.1, 1e-300],
                "half": np.array([0.5, 1], np.float16),
            }
        )
        self.assertEqual(
            records(frame),
            [
                {"whole": 2**53 + 1, "real": 0.1, "half": 0.5},
                {"whole": -1, "real": 1e-300, "half": 1.0},
            ],
        )

    def test_have_no_value_where_pandas_has_none(self) -> None:
        frame = pd.DataFrame(
            {
                "real": [np.nan],
                "text": [None],
                "time": [pd.NaT],
                "whole": pd.array([pd.NA], "Int64"),
                "flag": pd.array([pd.NA], "boolean"),
                "kind": pd.Categorical([None], ["a"]),
            }
        )
        self.assertEqual(set(records(frame)[0].values()), {None})

    def test_keep_words_that_others_take_for_missing(self) -> None:
        self.assertEqual(
            records(pd.DataFrame({"c": ["NA", "", "none"]})),
            [{"c": "NA"}, {"c": ""}, {"c": "none"}],
        )

    def test_write_days_as_days_and_moments_in_utc(self) -> None:
        frame = pd.DataFrame(
            {
                "day": pd.to_datetime(["2026-01-31"]),
                "moment": pd.to_datetime(["2026-01-31T09:00:00.5+09:00"]),
                "object": pd.Series([date(2026, 1, 31)], dtype=object),
                "aware": pd.Series([datetime(2026, 1, 31, tzinfo=timezone.utc)], dtype=object),
            }
        )
        self.assertEqual(
            records(frame)[0],
            {
                "day": "2026-01-31",
                "moment": "2026-01-31T00:00:00.500000Z",
                "object": "2026-01-31",
                "aware": "2026-01-31T00:00:00+00:00",
            },
        )

    def test_are_refused_with_an_infinite_number_and_with_two_columns_of_one_name(self) -> None:
        with self.assertRaisesRegex(AimassError, 'Column "x" has an infinite number'):
            records(pd.DataFrame({"x": [np.inf]}))
        with self.assertRaisesRegex(AimassError, 'Two columns are named "x"'):
            records(pd.DataFrame([[1, 2]], columns=["x", "x"]))

    def test_go_to_a_file_one_object_a_line_without_the_index(self) -> None:
        file = io.BytesIO()
        write_json_lines(pd.DataFrame({"ä": [1, 2]}, index=["p", "q"]), file)
        self.assertEqual([json.loads(line) for line in file.getvalue().splitlines()], [{"ä": 1}, {"ä": 2}])

    def test_say_which_columns_are_texts_though_they_look_like_numbers(self) -> None:
        frame = pd.DataFrame({"zip": ["01234", None], "n": [1, 2], "kind": pd.Categorical(["1", "2"])})
        self.assertEqual(column_types(frame), {"zip": "COLUMN_TYPE_STRING"})


class AnAnswerAsADataFrame(unittest.TestCase):
    def test_has_a_column_for_each_class_and_the_index_of_the_rows(self) -> None:
        answer = [{"label": "yes", "p": [0.1, 0.9]}, {"label": "no", "p": [0.8, 0.2]}]
        frame = frame_of(answer, {"p": ["no", "yes"]}, pd.Index([7, 9]), "unused")
        self.assertEqual(list(frame.columns), ["label", "p[no]", "p[yes]"])
        self.assertEqual(list(frame.index), [7, 9])
        self.assertEqual(list(frame["p[yes]"]), [0.9, 0.2])

    def test_of_one_output_has_its_name(self) -> None:
        self.assertEqual(list(frame_of([1.5, [2.5]], {}, pd.RangeIndex(2), "price")["price"]), [1.5, 2.5])

    def test_of_no_rows_is_empty(self) -> None:
        self.assertEqual(len(frame_of([], {}, pd.RangeIndex(0), "price")), 0)
