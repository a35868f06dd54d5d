// SharedServer: one API server for the cases that leave no trace in it or begin by emptying it: it
// takes seconds to start.
#pragma once

#include "test/kube/api_server.h"
#include "test/support/paths.h"

namespace hsmops::test {

struct SharedServer {
  Network network{{"api", "client"}};
  ApiServer server{network, "api"};

  static SharedServer& The() {
    static SharedServer shared;
    return shared;
  }

 private:
  SharedServer() {
    const Network::Visit there(network, "client");
    server.Must({"apply", "-f", TestFolder() + "/../manifests/crds"});
    server.Must({"wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"});
  }
};

}  // namespace hsmops::test
