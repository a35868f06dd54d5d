#include <ostream>

#include "cli/commands/verbs.h"
#include "cli/context.h"
#include "cli/exit_code.h"

namespace hsmops::cli {

Verb DemoVerb() {
  return {"demo", "The whole story on three SoftHSM tokens", {}, {"kubectl hsm demo"}, true, [](Words&) -> Runner {
            return [](Context& context) { return context.Fail({base::ErrorCode::kInternal, "not there yet"}); };
          }};
}

}  // namespace hsmops::cli
