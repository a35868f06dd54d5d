// LiveWrite: what a PUT or DELETE of mirroredsecrets/NAME/value asks for. Pure.
#pragma once

#include <optional>
#include <string>

#include "libhsmops/manager/live_path.h"
#include "libhsmops/mirror/member.h"
#include "libhsmops/store/secret_store.h"

namespace hsmops::manager {

struct LiveWrite {
  store::Write write;  // its op_id is zeros where none was given
  bool has_op_id = false;
  std::optional<mirror::Stamp> stamp;
  bool dry_run = false;
};

// kInvalid, with no value in the message.
base::Result<LiveWrite> ParseLiveWrite(const LivePath& path, const store::SecretName& name,
                                       bool removes, base::ByteView body);

// "1234.5678": a run and nanoseconds since that host's boot. kInvalid.
std::string StampText(const mirror::Stamp& stamp);
base::Result<mirror::Stamp> ParseStamp(const std::string& text);

}  // namespace hsmops::manager
