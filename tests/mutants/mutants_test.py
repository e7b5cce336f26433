"""The list of mutants is read and checked as it says."""
import unittest

import mutants

TEXT = """# a comment

R1_One
breaks R1.a R1.b
in a.cc
- return x;
+ return y;
by a_test --seeds=3
by b_test

R2_Two
breaks R2.a
in a.cc
- f();
+ g();
by a_test
survives It is never called.

unbroken R6.a It is no line.
"""


class MutantsTest(unittest.TestCase):

    def complaints(self, text, code):
        return list(mutants.complaints(mutants.parse(text)[0], lambda path: code))

    def test_a_list_is_read(self):
        (one, two), unbroken = mutants.parse(TEXT)
        self.assertEqual(unbroken, ["R6.a"])
        self.assertEqual(one, mutants.Mutant("R1_One", ["a.cc"],
                                             [["a.cc", "return x;", "return y;"]],
                                             ["R1.a", "R1.b"],
                                             [["a_test", "--seeds=3"], ["b_test"]]))
        self.assertEqual(two.reason, "It is never called.")

    def test_lines_that_are_gone_or_stand_twice_are_told(self):
        self.assertEqual(self.complaints(TEXT, "return x; f();"), [])
        self.assertEqual(len(self.complaints(TEXT, "return x; f(); f();")), 1)
        self.assertEqual(len(self.complaints(TEXT, "return x;")), 1)

    def test_names_are_given_once_and_mutants_are_whole(self):
        self.assertEqual(len(self.complaints(TEXT + TEXT[TEXT.index("R2"):], "return x; f();")), 1)
        self.assertEqual(len(self.complaints("R3_Three\nin a.cc\n", "")), 1)

    def test_two_lines_can_change_places_and_two_files_together(self):
        (mutant,), _ = mutants.parse("R1_One\nin a.cc\n- a();\n+ b();\n- b();\n+ a();\n"
                                     "in b.cc\n- c();\n+ d();\nby t\n")
        self.assertEqual(mutant.applied_to("a.cc", "x a(); b(); c(); y"), "x b(); a(); c(); y")
        self.assertEqual(mutant.applied_to("b.cc", "a(); c();"), "a(); d();")
        self.assertEqual(len(list(mutants.complaints([mutant], lambda path: "a(); c();"))), 1)

    def unguarded(self, text, keys, *named):
        return list(mutants.unguarded(*mutants.parse(text), keys.split(), named))

    def test_every_sentence_is_broken_or_said_to_be_beyond_it(self):
        self.assertEqual(mutants.rules("| R1 | `A.B` |\n| R20 | `C.D` |\n| P0 | `E.F` |\n| no |\n"),
                         ["R1", "R20", "P0"])
        self.assertEqual(mutants.keys_of("# why\n\nR1.a  It is lost.\nP0.b Too.\n"),
                         ["R1.a", "P0.b"])
        keys = "R1.a R1.b R2.a R6.a"
        self.assertEqual(self.unguarded(TEXT, keys, "R1", "R2", "R6"), [])
        self.assertEqual(self.unguarded(TEXT, keys + " R2.b", "R1", "R2", "R6"),
                         ["no mutant breaks R2.b"])
        self.assertEqual(self.unguarded(TEXT, keys + " R2.a", "R1", "R2", "R6"),
                         ["R2.a stands there twice"])
        self.assertEqual(self.unguarded(TEXT, "R1.a R2.a R6.a", "R1", "R2", "R6"),
                         ["R1.b is no sentence"])
        self.assertEqual(self.unguarded(TEXT, keys, "R1", "R2", "R6", "P0"),
                         ["no sentence says what happens without P0"])
        self.assertEqual(self.unguarded(TEXT, keys, "R1", "R6"), ["R2 is no rule"])
        self.assertEqual(self.unguarded(TEXT.replace("R2.a", "R1.a"), keys, "R1", "R2", "R6"),
                         ["R2_Two breaks no sentence of R2", "no mutant breaks R2.a"])
        excused = TEXT.replace("unbroken R6.a", "unbroken R1.a")
        self.assertEqual(self.unguarded(excused, "R1.a R1.b R2.a", "R1", "R2"),
                         ["R1.a is broken by a mutant"])
        with self.assertRaises(SystemExit):
            mutants.parse("unbroken R6.a\n")

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
