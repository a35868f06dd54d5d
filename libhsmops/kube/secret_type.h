// SecretType: what the API server wants of a Secret of a type that it knows, told before it refuses
// it: what it says itself may quote values, and goes nowhere.
//
// Source: Kubernetes API, core/v1 SecretType; apis/core/validation, ValidateSecret.
#pragma once

#include <string>
#include <vector>

#include "libhsmops/store/secret.h"

namespace hsmops::kube {

// "tls.crt", or "username or password" where one of them will do. Empty: nothing is missing, or it
// is a type of which nothing is known.
std::vector<std::string> MissingKeys(const std::string& type, const store::Keys& keys);

}  // namespace hsmops::kube
