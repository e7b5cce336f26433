"""The list of mutants is read and checked as it says."""
import unittest

import mutants

TEXT = """# a comment

R1_One
in a.cc
- return x;
+ return y;
by a_test --seeds=3
by b_test

R2_Two
in a.cc
- f();
+ g();
by a_test
survives It is never called.

unbroken R6 It is no line.
"""


class MutantsTest(unittest.TestCase):

    def complaints(self, text, code):
        return list(mutants.complaints(mutants.parse(text)[0], lambda path: code))

    def test_a_list_is_read(self):
        (one, two), unbroken = mutants.parse(TEXT)
        self.assertEqual(unbroken, ["R6"])
        self.assertEqual(one, mutants.Mutant("R1_One", "a.cc", "return x;", "return y;",
                                             [["a_test", "--seeds=3"], ["b_test"]]))
        self.assertEqual(two.reason, "It is never called.")

    def test_lines_that_are_gone_or_stand_twice_are_told(self):
        self.assertEqual(self.complaints(TEXT, "return x; f();"), [])
        self.assertEqual(len(self.complaints(TEXT, "return x; f(); f();")), 1)
        self.assertEqual(len(self.complaints(TEXT, "return x;")), 1)

    def test_names_are_given_once_and_mutants_are_whole(self):
        self.assertEqual(len(self.complaints(TEXT + TEXT[TEXT.index("R2"):], "return x; f();")), 1)
        self.assertEqual(len(self.complaints("R3_Three\nin a.cc\n", "")), 1)

    def test_every_rule_is_broken_or_said_to_be_beyond_it(self):
        self.assertEqual(mutants.rules("| R1 | `A.B` |\n| R20 | `C.D` |\n| P0 | `E.F` |\n| no |\n"),
                         ["R1", "R20", "P0"])
        read = mutants.parse(TEXT)
        self.assertEqual(list(mutants.unguarded(*read, ["R1", "R2", "R6"])), [])
        self.assertEqual(list(mutants.unguarded(*read, ["R1", "R2", "R6", "P0"])),
                         ["no mutant breaks P0"])
        self.assertEqual(len(list(mutants.unguarded(*read, ["R1", "R2"]))), 1)
        self.assertEqual(list(mutants.unguarded(*read, ["R1", "R6"])), ["R2 is no rule"])
        with self.assertRaises(SystemExit):
            mutants.parse("unbroken R6\n")

    def test_one_survives_only_with_a_reason_and_is_caught_only_without(self):
        (one, two), _ = mutants.parse(TEXT)
        self.assertTrue(mutants.verdict(one, "a_test")[1])
        self.assertFalse(mutants.verdict(one, "")[1])
        for no_proof in mutants.NO_PROOF:
            self.assertFalse(mutants.verdict(one, no_proof)[1])
        self.assertTrue(mutants.verdict(two, "")[1])
        self.assertFalse(mutants.verdict(two, "a_test")[1])

    def test_the_first_test_that_failed_is_named_and_how_one_ended_that_could_not_say(self):
        begun = "[ RUN      ] A.B1_One\n[       OK ] A.B1_One (0 ms)\n[ RUN      ] A.Two/3\n"
        self.assertEqual(mutants.told_by(begun + "[  FAILED  ] A.Two/3, where (1 ms)\n"
                                         "[  FAILED  ] A.Three\n", 1), "A.Two/3")
        self.assertEqual(mutants.told_by(begun, -6), "A.Two/3 (SIGABRT)")
        self.assertEqual(mutants.told_by(begun + '{"level":"critical","message":"broken, (R2)"}', -6),
                         "A.Two/3 (broken, (R2))")
        self.assertEqual(mutants.told_by(begun, 1), "A.Two/3 (exit code 1)")
        self.assertEqual(mutants.told_by(begun, None), mutants.NOT_ENDED)
        self.assertEqual(mutants.told_by("no such file\n", 1), mutants.NOT_STARTED)


if __name__ == "__main__":
    unittest.main()
