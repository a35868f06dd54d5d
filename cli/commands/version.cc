#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/store/record.h"

#ifndef HSMOPS_VERSION
#define HSMOPS_VERSION "development"
#endif

namespace hsmops::cli {

Verb VersionVerb() {
  return {"version",
          "Print the version",
          {},
          {"kubectl hsm version -o json"},
          false,
          [](Words&) -> Runner {
            return [](Context& context) {
              const nlohmann::json document{{"kind", "Version"},
                                            {"clientVersion", HSMOPS_VERSION},
                                            {"recordFormat", store::kFormat},
                                            {"apiVersion", "hsm.j5t.io/v1alpha1"}};
              return Print(context, document,
                           [&](bool) { context.out() << "kubectl-hsm " HSMOPS_VERSION "\n"; });
            };
          }};
}

}  // namespace hsmops::cli
