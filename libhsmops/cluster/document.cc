#include "libhsmops/cluster/document.h"

namespace hsmops::cluster {
namespace {

std::string TextOf(const nlohmann::json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

base::Result<void> CheckKind(const nlohmann::json& document, Kind kind) {
  if (!document.is_object())
    return base::Error(base::ErrorCode::kInvalid, Shown(document) + " is not a resource");
  const std::string found_kind = TextOf(document, "kind");
  const std::string found_version = TextOf(document, "apiVersion");
  if (found_kind == Name(kind) && found_version == ApiVersion(kind)) return {};
  return base::Error(
      base::ErrorCode::kInvalid,
      fmt::format("kind: \"{}\" of \"{}\" is not {} of {}", base::Printable(found_kind),
                  base::Printable(found_version), Name(kind), ApiVersion(kind)));
}

}  // namespace hsmops::cluster
