"""Untaken branches are named, and only what cannot be counted is left out."""
import unittest

import branches


def of(line, row, expression, is_true, is_false):
    """As llvm-cov tells it."""
    column = row.index(expression) + 1
    return [line, column, line, column + len(expression), is_true, is_false, 0, 0, 4]


class BranchesTest(unittest.TestCase):

    def untaken(self, text, *told):
        rows = text.split("\n")
        return [found[1:] for found in branches.untaken(
            text, [of(line, rows[line - 1], expression, is_true, is_false)
                   for line, expression, is_true, is_false in told])]

    def test_each_side_that_was_never_taken_is_named(self):
        text = "if (a && b) {"
        self.assertEqual(self.untaken(text, (1, "a", 3, 0), (1, "b", 0, 3)),
                         [("false", "a"), ("true", "b")])
        self.assertEqual(self.untaken(text, (1, "a", 3, 1), (1, "b", 1, 2)), [])

    def test_what_a_header_was_compiled_to_several_times_is_counted_together(self):
        self.assertEqual(self.untaken("if (a) {", (1, "a", 3, 0), (1, "a", 0, 2)), [])

    def test_checks_are_left_out_with_all_their_lines(self):
        text = "LOCKSTEP_CHECK(a(b) ||\n c,\n d);\nif (e) f();"
        self.assertEqual(self.untaken(text, (1, "a(b)", 1, 0), (2, "c", 0, 0), (4, "e", 1, 0)),
                         [("false", "e")])

    def test_a_switch_and_what_is_asked_behind_it_are_left_out_but_not_what_is_asked_before(self):
        text = "return a || (config_.broken.rule && c);\nif (d && !broken_.rule) e();"
        self.assertEqual(
            self.untaken(text, (1, "a", 1, 0), (1, "config_.broken.rule", 0, 1), (1, "c)", 0, 0),
                         (2, "d", 1, 0), (2, "!broken_.rule", 1, 0)),
            [("false", "a"), ("false", "d")])

    def test_the_block_of_a_switch_that_is_on_is_left_out_and_of_one_that_is_off_counts(self):
        block = " {\n for (; a;) {\n  if (b) c();\n }\n}\nif (d) e();"
        told = ((2, "a", 0, 0), (3, "b", 0, 0), (6, "d", 0, 1))
        self.assertEqual(self.untaken("if (config_.broken.rule)" + block, *told), [("true", "d")])
        self.assertEqual(len(self.untaken("if (!config_.broken.rule)" + block, *told)), 5)

    def test_a_variable_of_that_name_is_no_switch(self):
        self.assertEqual(self.untaken("if (auto broken = f()) {", (1, "broken", 0, 1)),
                         [("true", "broken")])

    def test_defaulted_operators_are_left_out(self):
        text = "friend bool operator==(const T&, const T&) = default;"
        self.assertEqual(self.untaken(text, (1, "t;", 4, 0)), [])

    def test_exceptions_stand_below_their_reasons(self):
        self.assertEqual(branches.exceptions("# why\na.cc: true: b\n\n# why not\na.cc: false: c\n"),
                         {"a.cc: true: b", "a.cc: false: c"})


if __name__ == "__main__":
    unittest.main()
