// What the settings say is what they do.
#include "participant/settings.h"

#include <gtest/gtest.h>

namespace lockstep::participant {
namespace {

class SettingsTest : public testing::Test {
 protected:
  // What is wrong with the arguments, beside those that are required; empty: nothing.
  std::string Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"lockstep-participant", "--cluster-id=test",
                                         "--node-id=node-1", "--database=bank", "--data-dir=/d"});
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    char* no_environment[] = {nullptr};
    config::Schema schema("lockstep-participant", "a test");
    Declare(&settings_, &schema);
    const absl::StatusOr<config::Parsed> parsed =
        schema.Parse(static_cast<int>(pointers.size()), pointers.data(), no_environment);
    if (!parsed.ok()) return std::string(parsed.status().message());
    Complete(&settings_);
    return "";
  }

  Settings settings_;
};

TEST_F(SettingsTest, TheDefaultsAreThoseOfTheApi) {
  ASSERT_EQ(Parse({}), "");
  EXPECT_EQ(settings_.server.listen, "127.0.0.1:7401");
  EXPECT_EQ(settings_.request.request_bytes, size_t{16} << 20);
  EXPECT_EQ(settings_.request.statements, 1000);
  EXPECT_EQ(settings_.request.sql_bytes, 100'000u);
  EXPECT_EQ(settings_.request.value_bytes, size_t{8} << 20);
  EXPECT_EQ(settings_.request.default_timeout, absl::Seconds(10));
  EXPECT_EQ(settings_.request.max_timeout, absl::Seconds(60));
  const EngineOptions& engine = settings_.options.engine;
  EXPECT_EQ(engine.execution.max_rows, 10'000);
  EXPECT_EQ(engine.execution.max_result_bytes, int64_t{3} << 20);
  EXPECT_EQ(engine.execution.max_changed_bytes, int64_t{256} << 20);
  EXPECT_EQ(engine.execution.max_working_bytes, int64_t{128} << 20);
  EXPECT_EQ(engine.execution.sqlite_heap_bytes, int64_t{1} << 30);
  EXPECT_EQ(engine.execution.statement_budget, absl::Seconds(5));
  EXPECT_EQ(engine.readers, 4);
  EXPECT_EQ(settings_.options.query_budget, absl::Seconds(5));
}

TEST_F(SettingsTest, EachLimitGetsWhereItIsUsed) {
  ASSERT_EQ(Parse({"--max-request-bytes=256MiB", "--max-value-bytes=64MiB", "--max-sql-bytes=1MiB",
                   "--queue-places=7", "--round-bytes=2MiB", "--round-changed-bytes=3MiB",
                   "--round-answer-bytes=4MiB", "--max-working-bytes=5MiB"}),
            "");
  EXPECT_EQ(settings_.request.request_bytes, size_t{256} << 20);
  EXPECT_EQ(settings_.request.value_bytes, size_t{64} << 20);
  EXPECT_EQ(settings_.options.client_places, 7u);
  const EngineOptions& engine = settings_.options.engine;
  EXPECT_EQ(engine.execution.max_value_bytes, int64_t{64} << 20);
  EXPECT_EQ(engine.execution.max_sql_bytes, int64_t{1} << 20);
  EXPECT_EQ(engine.round.record_bytes, size_t{2} << 20);
  EXPECT_EQ(engine.store.redo_capacity, int64_t{2} << 20);
  EXPECT_EQ(engine.round.cache_bytes, int64_t{3} << 20);
  EXPECT_EQ(engine.round.answer_bytes, size_t{4} << 20);
  EXPECT_EQ(engine.execution.max_working_bytes, int64_t{5} << 20);
}

// A round of one such request would not get through.
TEST_F(SettingsTest, ALimitThatNoMessageCouldReachIsRefused) {
  for (const char* flag :
       {"--max-request-bytes", "--max-value-bytes", "--max-result-bytes", "--round-answer-bytes"}) {
    const std::string wrong = Parse({std::string(flag) + "=257MiB"});
    EXPECT_NE(wrong.find(flag), std::string::npos) << wrong;
    EXPECT_NE(wrong.find("256MiB"), std::string::npos) << wrong;
  }
}

}  // namespace
}  // namespace lockstep::participant
