#include "common/failpoint.h"

namespace lockstep {

void Failpoint(const char* /*name*/) {}

}  // namespace lockstep
