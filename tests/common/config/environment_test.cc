#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/config/sources.h"

namespace lockstep::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> NamesRead(std::vector<const char*> environment) {
  environment.push_back(nullptr);
  std::vector<std::string> names;
  for (const NamedValue& value : ReadEnvironment(environment.data())) names.push_back(value.name);
  return names;
}

TEST(EnvironmentTest, OnlyVariablesWithThePrefixAreSettings) {
  EXPECT_THAT(NamesRead({"PATH=/bin", "LOCKSTEP_A=1", "XLOCKSTEP_B=2", "LOCKSTEPC=3",
                         "lockstep_d=4", "LOCKSTEP_E=", "LOCKSTEP_NOT_A_VARIABLE"}),
              ElementsAre("LOCKSTEP_A", "LOCKSTEP_E"));
}

TEST(EnvironmentTest, TheValueIsAllAfterTheFirstEqualsSign) {
  const char* environment[] = {"LOCKSTEP_A=x=y=", nullptr};
  const std::vector<NamedValue> values = ReadEnvironment(environment);
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].value.text, "x=y=");
  EXPECT_EQ(values[0].value.origin.Describe(), "environment LOCKSTEP_A");
}

TEST(EnvironmentTest, VariablesOfTheToolAndTheScriptsAreNotForServers) {
  EXPECT_THAT(NamesRead({"LOCKSTEP_ENDPOINT=x:1", "LOCKSTEP_BUILD_DIR=/b", "LOCKSTEP_KILLS=9",
                         "LOCKSTEP_TEST_SEED=1", "LOCKSTEP_BENCH_PORT=7"}),
              IsEmpty());
}

TEST(EnvironmentTest, WhatDockerLinksAndKubernetesSetIsNotASetting) {
  EXPECT_THAT(NamesRead({"LOCKSTEP_COORDINATOR_SERVICE_HOST=10.0.0.1",
                         "LOCKSTEP_COORDINATOR_SERVICE_PORT=7400",
                         "LOCKSTEP_COORDINATOR_SERVICE_PORT_GRPC=7400",
                         "LOCKSTEP_COORDINATOR_PORT=tcp://10.0.0.1:7400",
                         "LOCKSTEP_COORDINATOR_PORT_7400_TCP=tcp://10.0.0.1:7400",
                         "LOCKSTEP_COORDINATOR_PORT_7400_TCP_ADDR=10.0.0.1"}),
              IsEmpty());
  EXPECT_THAT(NamesRead({"LOCKSTEP_PORT=7400", "LOCKSTEP_PORT_=1", "LOCKSTEP_PORT_X=1"}),
              ElementsAre("LOCKSTEP_PORT", "LOCKSTEP_PORT_", "LOCKSTEP_PORT_X"));
}

TEST(EnvironmentTest, NoEnvironmentIsAnEmptyOne) {
  EXPECT_THAT(ReadEnvironment(nullptr), IsEmpty());
}

}  // namespace
}  // namespace lockstep::config
