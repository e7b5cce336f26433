"""Untaken branches are named, and only what cannot be counted is left out."""
import unittest

import branches


def of(line, row, expression, is_true, is_false):
    """As llvm-cov tells it."""
    column = row.index(expression) + 1
    return [line, column, line, column + len(expression), is_true, is_false, 0, 0, 4]


class BranchesTest(unittest.TestCase):

    def judged(self, text, *told):
        rows = text.split("\n")
        return branches.judged(text, [of(line, rows[line - 1], expression, is_true, is_false)
                                      for line, expression, is_true, is_false in told])

    def untaken(self, text, *told):
        return [tuple(name.split(": ")[1:]) for _, name, times in self.judged(text, *told)[0]
                if not times]

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

    def test_what_is_in_account_and_what_is_not_is_counted_apart_and_once(self):
        text = "LOCKSTEP_CHECK(a);\nif (b) c();\nreturn broken_.rule;"
        sides, left_out = self.judged(text, (1, "a", 1, 0), (2, "b", 1, 0), (2, "b", 0, 1),
                                      (3, "broken_.rule", 0, 1))
        self.assertEqual([times for *_, times in sides], [1, 1])
        self.assertEqual(left_out, 4)

    def test_the_function_around_a_line_is_its_first_row(self):
        text = """int One(int a,
        int b) {
  if (a) return b;
}

class Two {
  bool Three() const {
    return a;
  }

 private:
  bool Four() const { return b; }
};

void Core::On(const Five&) {
  if (c) {
    d();
  }
}"""
        rows = text.split("\n")
        self.assertEqual([branches.function_at(rows, line) for line in (1, 3, 8, 12, 17)],
                         ["int One(int a,", "int One(int a,", "bool Three() const",
                          "bool Four() const { return b; }", "void Core::On(const Five&)"])

    def test_exceptions_stand_below_their_reasons(self):
        text = "# why\na.cc: f(): true: b\n\n# too\na.cc: f(): false: c\n"
        self.assertEqual(branches.exceptions(text),
                         ["a.cc: f(): true: b", "a.cc: f(): false: c"])

    def complaints(self, allowed, *times):
        sides = [("a.cc", line, "f(): true: b", its) for line, its in enumerate(times, 1)]
        return list(branches.complaints(sides, allowed))

    def test_an_exception_is_for_one_place_that_no_test_takes(self):
        one = ["a.cc: f(): true: b"]
        self.assertEqual(self.complaints(one, 0), [])
        self.assertEqual(self.complaints([], 0, 1), ["a.cc:1: no test makes this so: f(): true: b"])
        for others, times, part in ((one, (1,), "is taken or gone"), (one, (), "is taken or gone"),
                                    (one, (0, 0), "2 times"), (one, (0, 1), "2 times"),
                                    (2 * one, (0,), "twice")):
            self.assertIn(part, self.complaints(others, *times)[0])


if __name__ == "__main__":
    unittest.main()
