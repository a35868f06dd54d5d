// -o jsonpath=…: any template ends with text or a refusal, over a document with every shape in it.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "cli/jsonpath.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kDocument = nlohmann::json::parse(
      R"({"kind":"List","items":[{"metadata":{"name":"a.b"},"spec":{"n":1,"keys":["x","y"]}},
          {"metadata":{"name":"c"},"spec":{"n":-2.5,"flag":true,"none":null}}]})");
  (void)hsmops::cli::EvaluateJsonPath({reinterpret_cast<const char*>(data), size}, kDocument);
  return 0;
}
