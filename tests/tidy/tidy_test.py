#!/usr/bin/env python3
"""Each check of tidy.py passes what is right and finds what is wrong."""
import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import unittest

import evidence
import layers
import rules
import sources
import style
import tidy

UNFINISHED = "TO" + "DO"  # written apart, so that this file is not itself unfinished


def lines(check, files):
    """The places that a check complains about, without the reasons."""
    return [complaint.split(": ")[0] for complaint in check(files)]


def including(*headers):
    return "".join(f'#include "{header}"\n' for header in headers)


class SourcesTest(unittest.TestCase):

    def test_includes_are_found_with_their_lines(self):
        text = '// x\n#include <vector>\n  #  include "a/b.h"\n// #include "not.h"\n'
        self.assertEqual(sources.includes(text), [(2, "vector"), (3, "a/b.h")])

    def test_comments_and_strings_are_not_code(self):
        text = 'a /* b\nc */ d // e\n"f\\"g" h R"(i\n" j)" k \'"\' l 1\'000 m 2\'000\n'
        code = sources.code_only(text)
        self.assertEqual(code.count("\n"), text.count("\n"))
        for word in "adhklm":
            self.assertIn(word, code)
        for word in "bcefgij":
            self.assertNotIn(word, code)


class EvidenceTest(unittest.TestCase):

    FILES = {
        "tests/a/b_test.cc": "TEST_F(SuiteTest, R1_ItIsSo) {\nTEST(OtherTest, ItIsNot) {\n",
        "tests/wire/c_test.py": "class FirstTest:\n    def test_one(self):\nclass SecondTest:\n"
                                "    def test_two(self):\n",
        "tests/grpcurl/run.sh": 'check "it is a sentence" true\n',
    }

    def complaints(self, *rows):
        page = "| demand | proof |\n|---|---|\n" + "".join(row + "\n" for row in rows)
        return lines(evidence.check_evidence, {**self.FILES, evidence.PAGE: page})

    def test_tests_of_every_kind_are_found(self):
        self.assertEqual(self.complaints(
            "| a | `SuiteTest.R1_ItIsSo`, `OtherTest.ItIsNot` |",
            "| b with `code` | `c_test.FirstTest.test_one`, `c_test.SecondTest.test_two` |",
            "| c | `grpcurl: it is a sentence` |"), [])

    def test_names_that_no_test_has_are_found_and_rows_without_one(self):
        rows = ("| a | `SuiteTest.ItIsNot` |", "| b | `c_test.SecondTest.test_one` |",
                "| c | `grpcurl: it is` |", "| d | `nothing: it is a sentence` |",
                "| e `SuiteTest.R1_ItIsSo` | later |")
        self.assertEqual(self.complaints(*rows),
                         [f"docs/EVIDENCE.md:{number}" for number in range(3, 8)])

    def test_every_rule_has_tests_that_exist(self):
        page = ("- **R1** is so.\n- **P2** is too.\n- **R3** as well.\n| rule | proof |\n|---|---|\n"
                "| R1 | `SuiteTest.R1_ItIsSo` |\n| P2 | `SuiteTest.P2_ItIsGone` |\n")
        self.assertEqual(lines(evidence.check_rules, {**self.FILES, evidence.PROTOCOL: page}),
                         [f"{evidence.PROTOCOL}:7", f"{evidence.PROTOCOL}:1"])

    def test_a_suite_stands_in_one_folder(self):
        files = {
            "tests/a/one_test.cc": "TEST(SameTest, First) {\n",
            "tests/a/two_test.cc": "TEST_F(SameTest, Second) {\n",
            "tests/b/three_test.cc": "TEST_P(OtherTest, First) {\n",
        }
        self.assertEqual(lines(evidence.check_suites, files), [])
        files["tests/b/three_test.cc"] = "TEST(SameTest, Third) {\n"
        self.assertEqual(lines(evidence.check_suites, files), ["tests/b/three_test.cc:1"])

    def test_failpoints_are_those_of_the_code(self):
        files = {
            "participant/a.cc": 'Failpoint("listed");\nFailpoint("unlisted");\n',
            "common/b.cc": 'Failpoint("common");\n',
            "coordinator/c.cc": 'Failpoint("elsewhere");\n',
            "tests/d.cc": 'Failpoint("of_a_test");\n',
            evidence.PROTOCOL: "| `listed` | participant | x |\n| `common` | coordinator | x |\n"
                               "| `elsewhere` | participant | x |\n| `gone` | participant | x |\n",
        }
        self.assertEqual(sorted(lines(evidence.check_failpoints, files)),
                         ["coordinator/c.cc:1", f"{evidence.PROTOCOL}:1", "participant/a.cc:1"])


class LayersTest(unittest.TestCase):

    def test_the_services_do_not_know_each_other(self):
        files = {
            "coordinator/a.cc": including("participant/p.h"),
            "participant/b.h": including("coordinator/protocol/c.h"),
            "participant/c.h": including("common/x.h", "participant/d.h"),
        }
        self.assertEqual(lines(layers.check_folders, files),
                         ["coordinator/a.cc:1", "participant/b.h:1"])

    def test_common_knows_no_service_and_no_test(self):
        files = {
            "common/a.cc": including("common/b.h", "coordinator/c.h"),
            "common/rpc/b.cc": including("participant/p.h"),
            "common/c.cc": including("tests/support/manual_clock.h"),
            "tests/common/d.cc": including("coordinator/c.h", "participant/p.h"),
        }
        self.assertEqual(lines(layers.check_folders, files),
                         ["common/a.cc:2", "common/rpc/b.cc:1", "common/c.cc:1"])

    def test_a_protocol_includes_values_only(self):
        right = ("vector", "cstdint", "absl/time/time.h", "absl/container/flat_hash_map.h",
                 "absl/types/span.h", "common/round_id.h", "coordinator/protocol/event.h")
        self.assertEqual(
            lines(layers.check_protocols_are_pure, {"coordinator/protocol/a.h": including(*right)}),
            [])
        wrong = ("thread", "mutex", "chrono", "fstream", "random", "absl/time/clock.h",
                 "absl/synchronization/mutex.h", "common/logging.h", "common/clock.h",
                 "common/actor.h", "coordinator/decision_log.h", "lockstep/v1/value.pb.h",
                 "sqlite3.h", "unistd.h", "sys/socket.h", "participant/protocol/event.h")
        for header in wrong:
            with self.subTest(header):
                files = {"coordinator/protocol/a.h": including(header)}
                self.assertEqual(lines(layers.check_protocols_are_pure, files),
                                 ["coordinator/protocol/a.h:1"])
                self.assertEqual(
                    lines(layers.check_protocols_are_pure, {"coordinator/a.h": including(header)}),
                    [])

    def test_grpc_is_only_where_the_network_is(self):
        for header in ("grpcpp/grpcpp.h", "grpc/grpc.h", "lockstep/v1/participant.grpc.pb.h"):
            for path in ("coordinator/engine.cc", "participant/storage/a.h", "common/clock.h",
                         "common/sqlite/a.cc"):
                self.assertEqual(lines(layers.check_network, {path: including(header)}),
                                 [path + ":1"])
            for path in ("common/rpc/a.h", "coordinator/main.cc", "coordinator/participant_client.h",
                         "participant/participant_service.cc", "cli/a.cc", "bench/a.cc",
                         "tests/x/a.cc"):
                self.assertEqual(lines(layers.check_network, {path: including(header)}), [])

    def test_messages_are_only_at_the_edges(self):
        for header in ("lockstep/v1/value.pb.h", "google/protobuf/message.h"):
            for path in ("coordinator/engine.cc", "participant/execution/a.h", "common/value.h"):
                self.assertEqual(lines(layers.check_messages, {path: including(header)}),
                                 [path + ":1"])
            for path in ("coordinator/decision_record.cc", "participant/main.cc", "common/rpc/a.h",
                         "coordinator/coordinator_service.h"):
                self.assertEqual(lines(layers.check_messages, {path: including(header)}), [])

    def test_sqlite_is_only_in_its_folder(self):
        for path, found in (("coordinator/a.cc", 1), ("common/a.cc", 1), ("bench/a.cc", 1),
                            ("common/sqlite/a.cc", 0), ("tests/a.cc", 0)):
            self.assertEqual(len(lines(layers.check_sqlite, {path: "#include <sqlite3.h>\n"})),
                             found, path)

    def test_abseils_own_views_are_not_in_headers(self):
        text = "// absl::optional\nabsl::optional<int> a;\nvoid F(absl::string_view);\n"
        self.assertEqual(lines(layers.check_abseil_views, {"a.h": text, "a.cc": text}),
                         ["a.h:2", "a.h:3"])


class StyleTest(unittest.TestCase):

    def test_a_long_source_is_found(self):
        text = "x\n" * style.MAX_LINES
        files = {"a.cc": text, "b.cc": text + "x\n", "c.py": text + "x\n", "d.md": text + "x\n"}
        self.assertEqual(lines(style.check_length, files), ["b.cc:401", "c.py:401"])

    def test_unfinished_work_is_found_everywhere(self):
        files = {
            "a.cc": f"ok\n// {UNFINISHED}: later\n",
            "CMakeLists.txt": "# FIX" + "ME\n",
            "a.proto": "// XX" + "X\n",
            "a.sh": "mktemp /tmp/XXXXXX\nMETHOD=1\n",
        }
        self.assertEqual(lines(style.check_banned_words, files),
                         ["a.cc:2", "CMakeLists.txt:1", "a.proto:1"])

    def test_tests_do_not_sleep(self):
        sleeping = {
            "tests/a.cc": "std::this_thread::sleep_for(x);\n",
            "tests/b.cc": "\nusleep(5);\n",
            "tests/c.h": "absl::SleepFor(x);\n",
            "tests/d.cc": "sleep(1);\n",
            "tests/e.py": "time.sleep(1)\n",
            "tests/f.sh": "while true; do sleep 1; done\n",
            "tests/g.sh": "  sleep 0.1\n",
        }
        self.assertEqual(len(lines(style.check_sleeps, sleeping)), len(sleeping))
        awake = {
            "tests/a.cc": "// sleep(1) is banned\nTEST(A, NoSleep) { Log(\"usleep(5)\"); }\n",
            "tests/b.sh": "echo never sleep; nosleep 1\n",
            "common/a.cc": "std::this_thread::sleep_for(x);\n",
        }
        self.assertEqual(lines(style.check_sleeps, awake), [])

    def test_bare_new_and_delete_are_found(self):
        for code in ("auto* a = new A();", "delete a;", "delete[] a;", "new (place) A;",
                     "a.reset(new A);", "Own(std::unique_ptr<B>(b), new A);"):
            self.assertEqual(lines(style.check_raw_memory, {"a.cc": code + "\n"}), ["a.cc:1"], code)
        for code in ("A(const A&) = delete;", "#include <new>", "// new", 'Log("new");',
                     "int renew = 1;", "std::unique_ptr<A<int>> a(new A<int>(1));",
                     "return std::unique_ptr<A>(\n    new A);"):
            self.assertEqual(lines(style.check_raw_memory, {"a.cc": code + "\n"}), [], code)
        self.assertEqual(lines(style.check_raw_memory, {"common/rpc/a.cc": "delete this;\n"}), [])

    def test_include_guards_are_named_after_the_path(self):
        right = "// x\n#ifndef LOCKSTEP_A_B_H_\n#define LOCKSTEP_A_B_H_\n\n" \
                "#endif  // LOCKSTEP_A_B_H_\n"
        self.assertEqual(lines(style.check_header_guards, {"a/b.h": right}), [])
        for wrong in (right.replace("A_B_H_", "B_H_"), right.replace("#define LOCKSTEP_A", "#define A"),
                      "int a;\n", right + "int a;\n"):
            self.assertEqual(lines(style.check_header_guards, {"a/b.h": wrong}), ["a/b.h:1"])

    def test_sources_that_nobody_builds_are_found(self):
        files = {
            "a/CMakeLists.txt": "lib(x SOURCES one.cc\n  sub/two.cc) # three.cc\n",
            "b/CMakeLists.txt": "foreach(name four)\n  lib(${name} SOURCES ${name}.cc ../c/five.cc)\n",
            "a/one.cc": "", "a/sub/two.cc": "", "a/three.cc": "", "b/four.cc": "", "c/five.cc": "",
            "c/one.cc": "", "proto/a.proto": "",
        }
        self.assertEqual(lines(style.check_dead_files, files),
                         ["a/three.cc:1", "c/one.cc:1", "proto/a.proto:1"])

    def test_headers_that_nobody_includes_are_found(self):
        files = {
            "CMakeLists.txt": "a.cc",
            "a.cc": including("used.h"),
            "used.h": "",
            "unused.h": including("unused.h"),
        }
        self.assertEqual(lines(style.check_dead_files, files), ["unused.h:1"])


def tests_of(*numbers):
    """A file with a test of each."""
    return "\n".join(f"TEST(A, R{number}_IsKept) {{}}" for number in numbers)


class RulesTest(unittest.TestCase):

    def complaints(self, text):
        return list(rules.check_rules({"tests/a.cc": text}))

    def test_a_rule_without_a_test_is_found(self):
        present = [rule for rule in rules.RULES if rule not in {5, *rules.NOT_YET}]
        self.assertEqual(self.complaints(tests_of(*present)), ["tests:0: no test names R5"])
        self.assertEqual(self.complaints(tests_of(*present) + "\n// R5"),
                         ["tests:0: no test names R5"])

    def test_rules_are_found_in_the_names_of_tests_alone(self):
        text = "// rule R1\nTEST(A, RefusedByR10) {}\nTEST_F(B, R7IsKept) {}\n" \
               "TEST(C, ByRule_R8_x) {}\nTEST(D, PR11AndR12xAndVAR13) {}\n"
        self.assertEqual(rules.named({"tests/a.cc": text, "tests/mutants/list.txt": "R3_A"}),
                         {7, 8, 10})
        self.assertEqual(rules.written({"tests/a.cc": text, "tests/mutants/list.txt": "R3_A"}),
                         {1, 3, 7, 8, 10})

    def test_only_tests_count_and_these_checks_do_not(self):
        for path in ("common/a.cc", "tests/tidy/a.cc"):
            self.assertEqual(rules.named({path: "TEST(A, R1_x) {}"}), set())
            self.assertEqual(rules.written({path: "// R1"}), set())

    def test_only_rules_of_later_work_may_be_absent_and_they_have_to_be(self):
        present = [rule for rule in rules.RULES if rule not in rules.NOT_YET]
        self.assertEqual(self.complaints(tests_of(*present)), [])
        self.assertEqual(self.complaints(tests_of(*rules.RULES)),
                         ["tests:0: a test names R20, so it is no rule of later work"])

    def test_a_rule_that_does_not_exist_is_found(self):
        present = [rule for rule in rules.RULES if rule not in rules.NOT_YET]
        self.assertEqual(self.complaints(tests_of(*present) + " // R24"),
                         ["tests:0: the tests name R24, which is no rule"])


class RunnerTest(unittest.TestCase):

    def run_sh(self, *arguments):
        script = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run.sh")
        return subprocess.run([script, *arguments], capture_output=True, text=True, check=False)

    def test_a_group_that_is_none_is_an_error_that_names_them(self):
        groups = self.run_sh("--list").stdout.split()
        self.assertIn("cluster", groups)
        for arguments in (("--only", "typo"), ("--only", "unit", "--only", "typo")):
            run = self.run_sh(*arguments)
            self.assertEqual((run.returncode, run.stdout), (2, ""))
            for name in ['"typo"', *groups]:
                self.assertIn(name, run.stderr)


class OnDiskTest(unittest.TestCase):

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.write(".clang-format", "BasedOnStyle: Google\n")

    def write(self, path, text):
        whole = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)

    def test_sources_are_loaded_and_build_folders_are_not(self):
        self.write("CMakeLists.txt", "")
        self.write("common/sqlite/a.cc", "int a;\n")
        self.write("common/image.png", "")
        self.write("build/common/b.cc", "")
        self.write(".ci/run", "")
        self.assertEqual(sorted(sources.load(self.root)),
                         [".ci/run", "CMakeLists.txt", "common/sqlite/a.cc"])

    def test_unformatted_code_is_found(self):
        self.write("common/a.cc", "int a;\n")
        self.write("common/b.cc", "int   b;\nint   c;\n")
        found = [complaint.split(": ")[0]
                 for complaint in style.check_format(self.root, ["common/a.cc", "common/b.cc"])]
        self.assertEqual(found, ["common/b.cc:1"])

    def test_a_clang_format_that_fails_is_not_taken_for_clean_code(self):
        self.assertTrue(list(style.check_format(self.root, ["common/missing.cc"])))

    def test_the_program_runs_every_check(self):
        self.write("common/CMakeLists.txt", "lib(x a.cc)\n")
        self.write("common/a.cc", "int a;\n")
        present = [rule for rule in rules.RULES if rule not in rules.NOT_YET]
        self.write("tests/CMakeLists.txt", "test(rules_test.cc)\n")
        self.write("tests/rules_test.cc", tests_of(*present) + "\n")
        self.assertEqual(tidy.complaints(self.root), [])
        self.write("common/a.cc", f"#include <sqlite3.h>\nint   a;  // {UNFINISHED}\n")
        present.remove(22)
        self.write("tests/rules_test.cc", tests_of(*present) + "\n")
        found = "\n".join(tidy.complaints(self.root))
        for part in ("sqlite3.h", "unfinished", "clang-format", "no test names R22"):
            self.assertIn(part, found)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(tidy.main([self.root]), 1)
        self.assertIn("common/a.cc:1: only common/sqlite includes sqlite3.h\n", output.getvalue())


if __name__ == "__main__":
    unittest.main()
