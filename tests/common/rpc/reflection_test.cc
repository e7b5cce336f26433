#include "common/rpc/reflection.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/common/rpc/test_server.h"

namespace lockstep::rpc {
namespace {

using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

std::set<std::string> FilesFor(const std::string& symbol) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol(symbol);
  const ServerReflectionResponse response = Reflect(request, {});
  std::set<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    EXPECT_TRUE(names.insert(file.name()).second) << "twice: " << file.name();
  }
  return names;
}

// Without the details' messages grpcurl prints them as base64.
TEST(ReflectionTest, ErrorDetailsReasonsAndHealthAreKnown) {
  EXPECT_THAT(FilesFor("google.rpc.ErrorInfo"),
              testing::Contains("google/rpc/error_details.proto"));
  EXPECT_THAT(FilesFor("google.rpc.Status"), testing::Contains("google/rpc/status.proto"));
  EXPECT_THAT(FilesFor("lockstep.v1.ErrorReason"), testing::Contains("lockstep/v1/error.proto"));
  EXPECT_THAT(FilesFor("grpc.health.v1.Health.Watch"),
              testing::Contains("grpc/health/v1/health.proto"));
}

TEST(ReflectionTest, AFileComesWithAllThatItImports) {
  EXPECT_THAT(
      FilesFor("lockstep.v1.TwoPhaseCommitService"),
      testing::IsSupersetOf({"lockstep/v1/two_phase_commit.proto", "lockstep/v1/value.proto",
                             "google/rpc/status.proto", "google/protobuf/any.proto",
                             "google/protobuf/duration.proto"}));
}

TEST(ReflectionTest, WhatIsNotKnownIsAnErrorNotTheEnd) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("no.such.Thing");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
  request.set_file_by_filename("no/such.proto");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
  request.set_all_extension_numbers_of_type("no.such.Thing");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
  request.mutable_file_containing_extension()->set_containing_type("google.rpc.Status");
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::NOT_FOUND);
  request.clear_message_request();
  EXPECT_EQ(Reflect(request, {}).error_response().error_code(), grpc::INVALID_ARGUMENT);
}

TEST(ReflectionTest, OneStreamAnswersOneQuestionAfterTheOther) {
  TestServer server([](ExecuteCall call) { call.Finish({}); });
  auto stub = ServerReflection::NewStub(InternalChannel(server.address()));
  grpc::ClientContext context;
  auto stream = stub->ServerReflectionInfo(&context);
  ServerReflectionRequest request;
  ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  std::set<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.insert(service.name());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("lockstep.v1.CoordinatorService",
                                                   "grpc.health.v1.Health",
                                                   "grpc.reflection.v1alpha.ServerReflection"));
  request.set_file_by_filename("lockstep/v1/value.proto");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.file_descriptor_response().file_descriptor_proto_size(), 1);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(ReflectionTest, AnOpenStreamDoesNotHoldUpAStop) {
  TestServer server([](ExecuteCall call) { call.Finish({}); });
  auto stub = ServerReflection::NewStub(InternalChannel(server.address()));
  grpc::ClientContext context;
  auto stream = stub->ServerReflectionInfo(&context);
  ServerReflectionRequest request;
  ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  server->StopServing(absl::InfiniteDuration());
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

}  // namespace
}  // namespace lockstep::rpc
