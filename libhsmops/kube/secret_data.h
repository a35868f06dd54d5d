// SecretData: the `data` and `stringData` of a Secret or a MirroredSecret as JSON, in memory that
// is wiped.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libhsmops/store/secret.h"

namespace hsmops::kube {

// `document`, an object without values, as JSON with `data` in base64 added to it. `first`: a
// member of that which comes before the keys, as JSON.
base::SecretBytes WithData(const nlohmann::json& document, const store::Keys& keys,
                           const std::string& first = {});

// Keys and values of an object's `data` (base64) and `stringData`, which overrules it as in
// Kubernetes; and the object without them. kInvalid, with no value in the message: no JSON object,
// a value that is no text or no base64, a name that is no key, more than kMaxSecretBytes.
struct Parted {
  nlohmann::json document;
  store::Keys keys;
};
base::Result<Parted> PartData(base::ByteView text);

}  // namespace hsmops::kube
