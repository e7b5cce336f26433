// lockstep-example ENDPOINT
#include <fstream>
#include <iostream>
#include <sstream>

#include "examples/cpp/order_service.h"

namespace example {
namespace {

std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint,
                                       const std::string& service_config) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetServiceConfigJSON(service_config);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments);
}

int64_t OnlyNumber(const std::vector<lockstep::v1::Row>& rows) {
  return rows.at(0).values(0).int_value();
}

bool Run(OrderService& orders) {
  orders.SetUp();
  const lockstep::v1::Row wallet =
      orders.Query("bank", "SELECT * FROM cpp_wallet WHERE owner = 'Anna'").at(0);
  std::cout << "values: " << wallet.values(0).text_value() << " " << wallet.values(1).int_value()
            << " " << wallet.values(2).real_value() << " " << wallet.values(3).blob_value().size()
            << " bytes " << (wallet.values(4).kind_case() == 0 ? "NULL" : "not NULL") << "\n";
  for (int i = 0; i < 2; ++i) {
    const OrderService::Placed placed = orders.Place("1", "Anna", 30);
    std::cout << "order 1: " << placed.coins_left
              << " coins left, placed before: " << (placed.before ? "true" : "false") << "\n";
  }
  try {
    orders.Place("2", "Anna", 500);
    return false;
  } catch (const Refused& refused) {
    std::cout << "order 2: refused, " << refused.reason() << " wanted "
              << refused.metadata("expected_rows") << " row, found "
              << refused.metadata("actual_rows") << "\n";
  }
  const bool happened = orders.PlaceHastily("3", "Anna", 5);
  std::cout << "order 3: resolved, placed: " << (happened ? "true" : "false") << "\n";
  const int64_t coins =
      OnlyNumber(orders.Query("bank", "SELECT coins FROM cpp_wallet WHERE owner = 'Anna'"));
  const int64_t spent = OnlyNumber(orders.Query("orders", "SELECT sum(coins) FROM cpp_invoice"));
  const bool agree = coins + spent == 100;
  std::cout << "wallet and invoices agree: " << (agree ? "true" : "false") << "\n";
  return agree;
}

}  // namespace
}  // namespace example

int main(int argc, char** argv) {
  const std::string endpoint = argc > 1 ? argv[1] : "127.0.0.1:7400";
  const std::string config_path = argc > 2 ? argv[2] : "examples/service_config.json";
  std::ifstream file(config_path);
  std::stringstream config;
  config << file.rdbuf();
  try {
    example::OrderService orders(example::Connect(endpoint, config.str()));
    return example::Run(orders) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "lockstep-example: " << error.what() << "\n";
    return 1;
  }
}
