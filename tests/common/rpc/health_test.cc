#include <gtest/gtest.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/common/rpc/test_server.h"

namespace lockstep::rpc {
namespace {

using HealthService = grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kServiceName[] = "lockstep.v1.CoordinatorService";

class HealthTest : public testing::Test {
 protected:
  HealthTest() {
    LOCKSTEP_CHECK(server_.Start().ok(), "the server starts");
    stub_ = HealthService::NewStub(InternalChannel("127.0.0.1:" + std::to_string(server_.port())));
  }

  static HealthCheckRequest RequestFor(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return request;
  }

  grpc::Status Check(const std::string& service, HealthCheckResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTestTimeout);
    return stub_->Check(&context, RequestFor(service), response);
  }

  // One Watch, read as it comes.
  class Watch {
   public:
    Watch(HealthService::Stub* stub, const std::string& service) {
      context_.set_deadline(std::chrono::system_clock::now() + kTestTimeout);
      reader_ = stub->Watch(&context_, RequestFor(service));
    }
    HealthCheckResponse::ServingStatus Next() {
      HealthCheckResponse response;
      return reader_->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
    }
    grpc::Status End() {
      HealthCheckResponse response;
      EXPECT_FALSE(reader_->Read(&response));
      return reader_->Finish();
    }
    void Cancel() { context_.TryCancel(); }

   private:
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
  };

  Server server_{{.address = "127.0.0.1:0"}};
  std::unique_ptr<HealthService::Stub> stub_;
};

TEST_F(HealthTest, ItSaysNotServingFromTheStartUntilToldOtherwise) {
  HealthCheckResponse response;
  ASSERT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server_.SetServing(true);
  ASSERT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server_.SetServing(false);
  ASSERT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthTest, AServiceThatIsNotThereIsNotFound) {
  HealthCheckResponse response;
  EXPECT_EQ(Check(kServiceName, &response).error_code(), grpc::NOT_FOUND);
}

TEST_F(HealthTest, AWatchSeesNotServingThenServingThenTheEnd) {
  Watch watch(stub_.get(), "");
  Watch other(stub_.get(), "");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(other.Next(), HealthCheckResponse::NOT_SERVING);
  server_.SetServing(true);
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(other.Next(), HealthCheckResponse::SERVING);
  // A watch must not hold up a stop until the grace is over.
  server_.StopServing(absl::Seconds(20));
  EXPECT_EQ(watch.End().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(other.End().error_code(), grpc::UNAVAILABLE);
}

TEST_F(HealthTest, AWatchOfAnUnknownServiceGoesOnAndSaysSo) {
  Watch watch(stub_.get(), "nobody");
  EXPECT_EQ(watch.Next(), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthTest, WatchesThatAreGoneDoNotHarm) {
  for (int i = 0; i < 50; ++i) {
    Watch watch(stub_.get(), "");
    EXPECT_EQ(watch.Next(),
              i % 2 == 0 ? HealthCheckResponse::NOT_SERVING : HealthCheckResponse::SERVING);
    watch.Cancel();
    server_.SetServing(i % 2 == 0);
    // Either what was on its way, or the end; never a hang.
    watch.Next();
  }
}

TEST(HealthOfServicesTest, EachServiceHasAHealth) {
  TestServer server([](ExecuteCall call) { call.Finish({}); });
  auto stub = HealthService::NewStub(InternalChannel(server.address()));
  for (const char* name : {"", kServiceName, "grpc.health.v1.Health"}) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(name);
    HealthCheckResponse response;
    ASSERT_TRUE(stub->Check(&context, request, &response).ok()) << name;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << name;
  }
}

}  // namespace
}  // namespace lockstep::rpc
