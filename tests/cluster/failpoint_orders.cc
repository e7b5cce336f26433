#include "tests/cluster/failpoint_orders.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"

namespace lockstep::testing_support {
namespace {

FailpointOrder* MapNewOrder(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  LOCKSTEP_CHECK(descriptor >= 0, std::strerror(errno));
  LOCKSTEP_CHECK(ftruncate(descriptor, sizeof(FailpointOrder)) == 0, std::strerror(errno));
  void* mapped =
      mmap(nullptr, sizeof(FailpointOrder), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  LOCKSTEP_CHECK(mapped != MAP_FAILED, std::strerror(errno));
  return static_cast<FailpointOrder*>(mapped);
}

template <size_t kSize>
void CopyName(const std::string& name, char (&target)[kSize]) {
  LOCKSTEP_CHECK(name.size() < kSize, "a failpoint's name is too long");
  std::memset(target, 0, kSize);
  name.copy(target, name.size());
}

}  // namespace

std::vector<FailpointName> AllFailpoints() {
  std::vector<FailpointName> all;
  std::ifstream file(LOCKSTEP_FAILPOINT_LIST);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    if (cells.size() != 3 || !cells[0].starts_with("| `")) continue;
    if (cells[1] != "participant" && cells[1] != "coordinator") continue;
    all.push_back({cells[0].substr(3, cells[0].size() - 4), cells[1] == "coordinator"});
  }
  LOCKSTEP_CHECK(!all.empty(), "no failpoints in " LOCKSTEP_FAILPOINT_LIST);
  return all;
}

FailpointOrders::FailpointOrders(ProcessCluster* cluster) {
  for (size_t i = 0; i <= cluster->size(); ++i) {
    const std::filesystem::path path =
        cluster->directory() / absl::StrCat(cluster->process_name(i), ".failpoint");
    orders_.push_back(MapNewOrder(path));
    cluster->process(i).AddVariable(absl::StrCat("FAILPOINT_FILE=", path.string()));
  }
}

FailpointOrders::~FailpointOrders() {
  for (FailpointOrder* order : orders_) munmap(order, sizeof(FailpointOrder));
}

void FailpointOrders::Arm(size_t process, const std::string& name, int nth) {
  Write(process, name, nth, /*freezes=*/false);
}

void FailpointOrders::ArmFreeze(size_t process, const std::string& name) {
  Write(process, name, /*nth=*/1, /*freezes=*/true);
}

void FailpointOrders::Write(size_t process, const std::string& name, int nth, bool freezes) {
  FailpointOrder& order = *orders_[process];
  Disarm(process);
  order.reached.store(0);
  order.freezes.store(freezes ? 1 : 0);
  CopyName(name, order.name);
  order.armed.store(nth, std::memory_order_release);
}

bool FailpointOrders::Disarm(size_t process) {
  FailpointOrder& order = *orders_[process];
  const bool was_armed = order.name[0] != 0;
  const int32_t left = order.armed.exchange(0);
  order.name[0] = 0;
  return was_armed && left <= 0;
}

bool FailpointOrders::Reached(size_t process) const {
  return orders_[process]->reached.load() != 0;
}

void FailpointOrders::Watch(size_t process, const std::string& name) {
  CopyName(name, orders_[process]->watched);
}

int FailpointOrders::Passed(size_t process) const { return orders_[process]->passed.load(); }

}  // namespace lockstep::testing_support
