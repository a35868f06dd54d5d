#include "libhsmops/manager/refused_secret.h"

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/raw_status.h"

namespace hsmops::manager {

void ShowRefusedSecret(cluster::ResourceStore& resources, const cluster::Object& secret,
                       const base::Error& why, base::WallTime now) {
  const std::string message = base::Printable(why.message());
  RawStatus status(secret);
  if (kube::TextIn(status.value(), "/syncStatus") == "Error" &&
      kube::TextIn(status.value(), "/lastError") == message)
    return;
  status.value()["syncStatus"] = "Error";
  status.value()["lastError"] = message;
  status.SetCondition("Synced", "False", "InvalidSpec", message, now);
  (void)status.Write(resources);  // else at the next look
}

}  // namespace hsmops::manager
