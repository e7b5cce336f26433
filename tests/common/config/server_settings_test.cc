#include "common/config/server_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/common/config/parse.h"

namespace lockstep::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct Server {
  ServerSettings settings{.listen = "127.0.0.1:7400", .cluster_id = {}, .data_dir = {}};
  Schema schema{"lockstep-test", "a server"};
  Server() { DeclareServerSettings(&settings, &schema); }

  absl::Status Check(std::vector<std::string> arguments,
                     const std::vector<std::string>& variables = {}) {
    arguments.insert(arguments.end(), {"--cluster-id=c", "--data-dir=/d"});
    const absl::StatusOr<Parsed> parsed = ParseWith(schema, arguments, variables);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? CheckServerSettings(settings, *parsed) : parsed.status();
  }
};

TEST(ServerSettingsTest, ClusterIdAndDataDirectoryMustBeGiven) {
  const auto refusal = [](const std::string& only) {
    Server server;
    return std::string(ParseWith(server.schema, {only}).status().message());
  };
  EXPECT_THAT(refusal("--data-dir=d"), StartsWith("cluster_id is missing"));
  EXPECT_THAT(refusal("--cluster-id=c"), StartsWith("data_dir is missing"));
}

TEST(ServerSettingsTest, WithoutTlsAServerListensOnlyOnLoopback) {
  for (const char* listen : {"127.0.0.1:7400", "localhost:0", "[::1]:7400"}) {
    EXPECT_TRUE(Server().Check({std::string("--listen=") + listen}).ok()) << listen;
  }
  for (const char* listen : {"0.0.0.0:7400", "[::]:7400", "10.0.0.1:7400", "coordinator:7400"}) {
    const absl::Status refused = Server().Check({std::string("--listen=") + listen});
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << listen;
    EXPECT_THAT(std::string(refused.message()),
                AllOf(HasSubstr(listen), HasSubstr("flag --listen"), HasSubstr("--insecure")));
  }
}

TEST(ServerSettingsTest, InsecureLetsItListenAnywhere) {
  EXPECT_TRUE(Server().Check({"--listen=0.0.0.0:7400", "--insecure"}).ok());
  EXPECT_TRUE(Server().Check({}, {"LOCKSTEP_LISTEN=0.0.0.0:7400", "LOCKSTEP_INSECURE=true"}).ok());
}

TEST(ServerSettingsTest, AnOpenServerSaysSoOnceAndOthersSayNothing) {
  const auto said = [](const std::string& listen, bool insecure) {
    ServerSettings settings{
        .listen = listen, .insecure = insecure, .cluster_id = {}, .data_dir = {}};
    ::testing::internal::CaptureStderr();
    ApplyServerSettings(settings);
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(said("0.0.0.0:7400", true),
              AllOf(HasSubstr("\"level\":\"warning\""), HasSubstr("without TLS"),
                    HasSubstr("\"listen\":\"0.0.0.0:7400\"")));
  EXPECT_THAT(said("127.0.0.1:7400", true), IsEmpty());
  EXPECT_THAT(said("127.0.0.1:7400", false), IsEmpty());
}

TEST(ServerSettingsTest, TheLogLevelIsApplied) {
  ServerSettings settings{.listen = "127.0.0.1:1", .cluster_id = {}, .data_dir = {}};
  for (const char* level : {"debug", "info", "warning", "error", "critical"}) {
    settings.log_level = level;
    ApplyServerSettings(settings);
    EXPECT_EQ(LogEnabled(LogLevel::kInfo),
              level == std::string("debug") || level == std::string("info"));
    EXPECT_TRUE(LogEnabled(*ParseLogLevel(level)));
  }
}

}  // namespace
}  // namespace lockstep::config
