// Sockets, as far as tests need them that are no client of ours. An address is host:port in
// numbers.
#pragma once

#include <string>

namespace hsmops::test {

// -1: refused or no answer.
int Connect(const std::string& address);
// At a free port; says which it is in `address`.
int Listen(const std::string& host, std::string& address);

}  // namespace hsmops::test
