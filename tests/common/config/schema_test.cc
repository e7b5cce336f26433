#include "common/config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/common/config/parse.h"

namespace lockstep::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Options {
  std::string data_dir;
  std::string note = "none";
  std::string listen = "127.0.0.1:7400";
  bool insecure = false;
  int rows = 10'000;
  int64_t big = 1;
  absl::Duration timeout = absl::Seconds(10);
  int64_t max_request = 16 << 20;
  std::string role = "MASTER";
  std::vector<ListEntry> cluster;
};

// A program with one setting of each type.
struct Program {
  Options options;
  Schema schema{"lockstep-test", "tries the settings"};

  Program() {
    schema.String("data_dir", &options.data_dir, "where the files lie").Required();
    schema.String("note", &options.note, "any text");
    schema.Address("listen", &options.listen, "where to listen");
    schema.Bool("insecure", &options.insecure, "without TLS");
    schema.Int("rows", &options.rows, 1, 1'000'000, "rows of a result");
    schema.Int("big", &options.big, std::numeric_limits<int64_t>::min(),
               std::numeric_limits<int64_t>::max(), "any number");
    schema.Duration("timeout", &options.timeout, absl::Milliseconds(1), absl::Minutes(1), "time");
    schema.ByteSize("max_request", &options.max_request, 1024, 64 << 20, "largest request");
    schema.Choice("role", &options.role, {"MASTER", "BACKUP"}, "its role");
    schema.List("cluster", &options.cluster,
                {{"node_id", "its name"},
                 {"address", "where it is", true, ListField::Kind::kAddress},
                 {"role", "its role", false, ListField::Kind::kText, {"MASTER", "BACKUP"}}},
                "the participants");
  }

  absl::StatusOr<Parsed> Parse(const std::vector<std::string>& arguments,
                               const std::vector<std::string>& variables = {}) {
    return ParseWith(schema, arguments, variables);
  }
};

// The message of a parse that must fail.
std::string Refusal(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& variables = {}) {
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse(arguments, variables);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

std::string FileRefusal(const std::string& text) {
  const SettingsFile file(text);
  std::string message = Refusal({"--config", file.path()});
  EXPECT_THAT(message, StartsWith(file.path()));
  return message.substr(file.path().size());
}

TEST(SchemaTest, DefaultsStayWhereNothingIsGiven) {
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse({"--data-dir=/data"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->output, std::nullopt);
  EXPECT_EQ(program.options.data_dir, "/data");
  EXPECT_EQ(program.options.rows, 10'000);
  EXPECT_EQ(parsed->origins.at("rows").Describe(), "default");
  EXPECT_EQ(parsed->origins.at("data_dir").Describe(), "flag --data-dir");
}

TEST(SchemaTest, EveryTypeCanBeGivenAsAFlag) {
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse(
      {"--data-dir", "/d", "--note=a=b", "--listen=[::1]:1", "--insecure", "--rows", "5", "--big",
       "-9223372036854775808", "--timeout", "250ms", "--max-request=64KiB", "--role=BACKUP",
       "--cluster=node_id=a,address=a:1,role=BACKUP;node_id=b,address=b:2"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Options& options = program.options;
  EXPECT_EQ(options.data_dir, "/d");
  EXPECT_EQ(options.note, "a=b");
  EXPECT_EQ(options.listen, "[::1]:1");
  EXPECT_TRUE(options.insecure);
  EXPECT_EQ(options.rows, 5);
  EXPECT_EQ(options.big, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(options.timeout, absl::Milliseconds(250));
  EXPECT_EQ(options.max_request, 65'536);
  EXPECT_EQ(options.role, "BACKUP");
  EXPECT_EQ(options.cluster,
            (std::vector<ListEntry>{{{"node_id", "a"}, {"address", "a:1"}, {"role", "BACKUP"}},
                                    {{"node_id", "b"}, {"address", "b:2"}}}));
}

TEST(SchemaTest, EveryTypeCanBeGivenAsAVariable) {
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse(
      {}, {"PATH=/bin", "LOCKSTEP_DATA_DIR=/d", "LOCKSTEP_NOTE=", "LOCKSTEP_LISTEN=h:1",
           "LOCKSTEP_INSECURE=1", "LOCKSTEP_ROWS=5", "LOCKSTEP_BIG=7", "LOCKSTEP_TIMEOUT=1s",
           "LOCKSTEP_MAX_REQUEST=2048", "LOCKSTEP_ROLE=BACKUP",
           "LOCKSTEP_CLUSTER=node_id=a,address=a:1"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Options& options = program.options;
  EXPECT_EQ(options.data_dir, "/d");
  EXPECT_EQ(options.note, "");
  EXPECT_TRUE(options.insecure);
  EXPECT_EQ(options.rows, 5);
  EXPECT_EQ(options.max_request, 2048);
  EXPECT_EQ(options.cluster.size(), 1u);
  EXPECT_EQ(parsed->origins.at("rows").Describe(), "environment LOCKSTEP_ROWS");
}

TEST(SchemaTest, EveryTypeCanBeGivenInTheFile) {
  const SettingsFile file(
      "# a comment\n"
      "data_dir: /d\n"
      "note: 'some: text'\n"
      "listen: 127.0.0.1:9\n"
      "insecure: true\n"
      "rows: 5\n"
      "big: 7\n"
      "timeout: 1m\n"
      "max_request: 1MiB\n"
      "role: BACKUP\n"
      "cluster:\n"
      "  - {node_id: a, address: 127.0.0.1:1, role: MASTER}\n"
      "  - node_id: b\n"
      "    address: b:2\n");
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse({}, {"LOCKSTEP_CONFIG=" + file.path()});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Options& options = program.options;
  EXPECT_EQ(options.note, "some: text");
  EXPECT_EQ(options.listen, "127.0.0.1:9");
  EXPECT_TRUE(options.insecure);
  EXPECT_EQ(options.timeout, absl::Minutes(1));
  EXPECT_EQ(options.max_request, 1 << 20);
  EXPECT_EQ(options.cluster, (std::vector<ListEntry>{
                                 {{"node_id", "a"}, {"address", "127.0.0.1:1"}, {"role", "MASTER"}},
                                 {{"node_id", "b"}, {"address", "b:2"}}}));
  EXPECT_EQ(parsed->origins.at("rows").Describe(), "file " + file.path() + ", line 6");
}

TEST(SchemaTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const SettingsFile file("data_dir: file\nnote: file\nrole: BACKUP\n");
  Program program;
  const absl::StatusOr<Parsed> parsed =
      program.Parse({"--data-dir=flag", "--config=" + file.path()},
                    {"LOCKSTEP_DATA_DIR=environment", "LOCKSTEP_NOTE=environment"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(program.options.data_dir, "flag");
  EXPECT_EQ(program.options.note, "environment");
  EXPECT_EQ(program.options.role, "BACKUP");
  EXPECT_EQ(program.options.listen, "127.0.0.1:7400");
}

TEST(SchemaTest, AnOverriddenListIsReplacedAndNotMerged) {
  const SettingsFile file("cluster: [{node_id: a, address: a:1}, {node_id: b, address: b:1}]\n");
  Program program;
  ASSERT_TRUE(program
                  .Parse({"--data-dir=d", "--config=" + file.path()},
                         {"LOCKSTEP_CLUSTER=node_id=c,address=c:1"})
                  .ok());
  EXPECT_EQ(program.options.cluster,
            (std::vector<ListEntry>{{{"node_id", "c"}, {"address", "c:1"}}}));
}

TEST(SchemaTest, TheFlagForTheFileBeatsTheVariableForIt) {
  const SettingsFile file("data_dir: good\n");
  Program program;
  ASSERT_TRUE(program.Parse({"--config", file.path()}, {"LOCKSTEP_CONFIG=/nowhere"}).ok());
  EXPECT_EQ(program.options.data_dir, "good");
}

TEST(SchemaTest, ABadValueIsRefusedEvenWhereABetterSourceOverridesIt) {
  EXPECT_EQ(Refusal({"--data-dir=d", "--rows=5"}, {"LOCKSTEP_ROWS=many"}),
            "LOCKSTEP_ROWS: 'many' is not a whole number");
}

TEST(SchemaTest, ABadFlagIsRefusedWithItsName) {
  EXPECT_EQ(Refusal({"--rows=many"}), "--rows: 'many' is not a whole number");
  EXPECT_EQ(Refusal({"--rows=0"}), "--rows: 0 is out of range, which is 1 to 1000000");
  EXPECT_EQ(Refusal({"--rows=1000001"}), "--rows: 1000001 is out of range, which is 1 to 1000000");
  EXPECT_EQ(Refusal({"--rows="}), "--rows: '' is not a whole number");
  EXPECT_EQ(Refusal({"--timeout=10"}),
            "--timeout: '10' is not a duration with its unit, such as 250ms, 10s or 1h30m");
  EXPECT_EQ(Refusal({"--timeout=61s"}), "--timeout: 61s is out of range, which is 1ms to 1m");
  EXPECT_EQ(Refusal({"--timeout=-1s"}), "--timeout: -1s is out of range, which is 1ms to 1m");
  EXPECT_EQ(Refusal({"--max-request=1GiB"}),
            "--max-request: 1GiB is out of range, which is 1KiB to 64MiB");
  EXPECT_THAT(Refusal({"--max-request=1.5MiB"}), HasSubstr("'1.5MiB' is not a size"));
  EXPECT_EQ(Refusal({"--insecure=maybe"}), "--insecure: 'maybe' is not true or false");
  EXPECT_EQ(Refusal({"--role=master"}), "--role: 'master' is not one of MASTER, BACKUP");
  EXPECT_THAT(Refusal({"--listen=7400"}),
              StartsWith("--listen: '7400' is not an address: the port is missing"));
  EXPECT_EQ(Refusal({"--note=\xFF"}), "--note: the value is not valid UTF-8");
}

TEST(SchemaTest, ACommandLineThatIsNotUnderstoodIsRefused) {
  EXPECT_EQ(Refusal({"--data-drr=x"}), "--data-drr: unknown flag; --help shows all");
  EXPECT_EQ(Refusal({"--data_dir=x"}), "--data_dir: unknown flag; --help shows all");
  EXPECT_EQ(Refusal({"-d"}), "-d: unknown flag; --help shows all");
  EXPECT_EQ(Refusal({"serve"}), "serve: unexpected argument: every setting is --name=value");
  EXPECT_EQ(Refusal({"--insecure", "true"}),
            "true: unexpected argument: every setting is --name=value");
  EXPECT_EQ(Refusal({""}), ": unexpected argument: every setting is --name=value");
  EXPECT_EQ(Refusal({"--"}), "--: unknown flag; --help shows all");
  EXPECT_EQ(Refusal({"--data-dir"}), "--data-dir: needs a value: --data-dir=VALUE");
  EXPECT_EQ(Refusal({"--data-dir", "--insecure"}), "--data-dir: needs a value: --data-dir=VALUE");
  EXPECT_EQ(Refusal({"--rows=1", "--rows=1"}), "--rows: given twice");
}

TEST(SchemaTest, AMissingSettingIsNamedWithAllThreeWaysToGiveIt) {
  EXPECT_EQ(Refusal({}),
            "data_dir is missing: give --data-dir, LOCKSTEP_DATA_DIR, or data_dir in the file that "
            "--config names");
  EXPECT_EQ(Refusal({"--data-dir="}), "--data-dir: the value is empty");
  EXPECT_EQ(Refusal({}, {"LOCKSTEP_DATA_DIR="}), "LOCKSTEP_DATA_DIR: the value is empty");
}

TEST(SchemaTest, AnUnknownVariableIsRefused) {
  EXPECT_EQ(Refusal({"--data-dir=d"}, {"LOCKSTEP_DATADIR=x"}),
            "LOCKSTEP_DATADIR: unknown variable; --help shows all");
}

TEST(SchemaTest, ARequiredListWithoutEntriesIsRefusedHoweverItIsWritten) {
  for (const char* nothing : {"", " ", "\f", ";", " ; ;"}) {
    std::vector<ListEntry> list;
    Schema schema("program", "for a test");
    schema.List("cluster", &list, {{"node_id", "its name"}}, "the participants").Required();
    const auto parsed = ParseWith(schema, {}, {std::string("LOCKSTEP_CLUSTER=") + nothing});
    EXPECT_EQ(std::string(parsed.status().message()), "LOCKSTEP_CLUSTER: the value is empty");
  }
}

TEST(SchemaTest, WhatIsWrongInAFileIsNamedByFileLineAndKey) {
  EXPECT_EQ(FileRefusal("data_dir: d\nrows: many\n"), ":2: rows: 'many' is not a whole number");
  EXPECT_EQ(FileRefusal("data_dir: d\n\nrwos: 5\n"), ":3: rwos: unknown key; --help shows all");
  EXPECT_EQ(FileRefusal("data-dir: d\n"), ":1: data-dir: unknown key; --help shows all");
  EXPECT_EQ(FileRefusal("data_dir: ''\n"), ":1: data_dir: the value is empty");
  EXPECT_EQ(FileRefusal("rows: [1]\n"),
            ":1: rows: needs a list of maps: - {key: value, key: value}");
  EXPECT_EQ(FileRefusal("rows: []\n"), ":1: rows: needs one value, not a list");
  EXPECT_EQ(FileRefusal("role: [{a: b}]\n"), ":1: role: needs one value, not a list");
  EXPECT_EQ(FileRefusal("data_dir: d\ncluster:\n  - {node_id: a, address: a:1}\n"
                        "  - {node_id: b, addres: b:1}\n"),
            ":4: cluster: unknown key 'addres'; known are node_id, address, role");
}

TEST(SchemaTest, AFileThatCannotBeReadIsNamedWithWhoAskedForIt) {
  EXPECT_EQ(Refusal({"--config=/nowhere/x.yaml"}),
            "--config: cannot read /nowhere/x.yaml: No such file or directory");
  EXPECT_EQ(Refusal({}, {"LOCKSTEP_CONFIG=/nowhere/x.yaml"}),
            "LOCKSTEP_CONFIG: cannot read /nowhere/x.yaml: No such file or directory");
  EXPECT_THAT(Refusal({"--config=/tmp"}), HasSubstr("cannot read /tmp: Is a directory"));
}

TEST(SchemaTest, HelpShowsEverySettingWithTypeDefaultAndMeaning) {
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse({"--help"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(*parsed->output,
              AllOf(StartsWith("lockstep-test " LOCKSTEP_VERSION ": tries the settings\n"),
                    HasSubstr("  --data-dir (text; required)\n      where the files lie\n"),
                    HasSubstr("  --insecure (true or false; default false)\n      without TLS\n"),
                    HasSubstr("  --rows (number, 1 to 1000000; default 10000)\n"),
                    HasSubstr("  --timeout (duration, 1ms to 1m; default 10s)\n"),
                    HasSubstr("  --max-request (size, 1KiB to 64MiB; default 16MiB)\n"),
                    HasSubstr("  --role (one of MASTER, BACKUP; default MASTER)\n"),
                    HasSubstr("  --cluster (list of {node_id, address, role}; default [])\n"),
                    HasSubstr("  --config (file, or LOCKSTEP_CONFIG)\n")));
}

TEST(SchemaTest, HelpAndVersionAreAnsweredWhateverElseIsWrong) {
  Program program;
  EXPECT_TRUE(program.Parse({"--help"}, {"LOCKSTEP_ROWS=many"})->output.has_value());
  const absl::StatusOr<Parsed> parsed = program.Parse({"--version"}, {"LOCKSTEP_ROWS=many"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->output, "lockstep-test " LOCKSTEP_VERSION "\n");
}

TEST(SchemaTest, PrintConfigShowsEachValueWithItsOrigin) {
  const SettingsFile file("note: 'a \"b\"'\ncluster: [{node_id: a, address: a:1}]\n");
  Program program;
  const absl::StatusOr<Parsed> parsed = program.Parse(
      {"--print-config", "--data-dir=/d", "--config", file.path()}, {"LOCKSTEP_ROWS=7"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed->output,
            "data_dir: /d  # flag --data-dir\n"
            "note: \"a \\\"b\\\"\"  # file " +
                file.path() +
                ", line 1\n"
                "listen: \"127.0.0.1:7400\"  # default\n"
                "insecure: false  # default\n"
                "rows: 7  # environment LOCKSTEP_ROWS\n"
                "big: 1  # default\n"
                "timeout: 10s  # default\n"
                "max_request: 16MiB  # default\n"
                "role: MASTER  # default\n"
                "cluster:  # file " +
                file.path() +
                ", line 2\n"
                "  - {node_id: a, address: \"a:1\"}\n");
}

TEST(SchemaTest, WhatPrintConfigShowsIsASettingsFileWithTheSameValues) {
  Program first;
  const absl::StatusOr<Parsed> printed = first.Parse(
      {"--print-config", "--data-dir=a # b", "--note= \"x\"\t\nline\\ ", "--insecure", "--timeout",
       "1.5ms", "--max-request=1025", "--cluster=node_id={a} #,address=[::1]:5,role=MASTER"});
  ASSERT_TRUE(printed.ok()) << printed.status();
  const SettingsFile file(*printed->output);
  Program second;
  const absl::StatusOr<Parsed> parsed = second.Parse({"--config", file.path()});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(second.options.data_dir, "a # b");
  EXPECT_EQ(second.options.note, " \"x\"\t\nline\\ ");
  EXPECT_TRUE(second.options.insecure);
  EXPECT_EQ(second.options.timeout, absl::Microseconds(1500));
  EXPECT_EQ(second.options.max_request, 1025);
  EXPECT_EQ(second.options.cluster, first.options.cluster);
}

TEST(SchemaTest, PrintConfigRefusesWhatTheStartWouldRefuse) {
  EXPECT_THAT(Refusal({"--print-config"}), StartsWith("data_dir is missing"));
}

TEST(SchemaTest, ExitCodePrintsAndEndsOrLetsTheProgramRun) {
  EXPECT_EQ(ExitCode(Parsed{}), std::nullopt);

  ::testing::internal::CaptureStdout();
  EXPECT_EQ(ExitCode(Parsed{.output = "shown\n", .origins = {}}), 0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "shown\n");

  ::testing::internal::CaptureStderr();
  EXPECT_EQ(ExitCode(absl::InvalidArgumentError("--x: \"bad\"")), 2);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("\"message\":\"wrong settings: --x: \\\"bad\\\"\""));
}

TEST(SchemaDeathTest, ASettingDeclaredTwiceIsABug) {
  std::string text;
  Schema schema("x", "y");
  schema.String("name", &text, "");
  EXPECT_DEATH(schema.String("name", &text, ""), "declared twice");
  EXPECT_DEATH(schema.String("config", &text, ""), "the name config is taken");
}

}  // namespace
}  // namespace lockstep::config
