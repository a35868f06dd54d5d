// The limit that the benchmarks are measured beside: plain PKCS#11 calls in a loop, nothing of
// ours.
//
//   raw_pkcs11 MODULE PIN_FILE create|read|one COUNT BYTES     (SOFTHSM2_CONF in the environment)
//
// Prints "seconds RSS_KB". create: COUNT objects; read: creates COUNT, then times COUNT
// C_GetAttributeValue by handle; one: times the creation of 20 objects on a token that holds what
// it holds, per object.
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

CK_FUNCTION_LIST* p11 = nullptr;
CK_SESSION_HANDLE session = 0;

void Check(CK_RV rv, const char* what) {
  if (rv == CKR_OK) return;
  std::fprintf(stderr, "raw_pkcs11: %s: 0x%lx\n", what, rv);
  std::exit(1);
}

void Open(const char* module, const char* pin_file) {
  void* library = dlopen(module, RTLD_NOW);
  if (library == nullptr) std::exit(1);
  reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"))(&p11);
  Check(p11->C_Initialize(nullptr), "C_Initialize");
  CK_SLOT_ID slots[16];
  CK_ULONG count = 16;
  Check(p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
  Check(
      p11->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
      "C_OpenSession");
  std::ifstream in(pin_file);
  std::string pin;
  std::getline(in, pin);
  Check(p11->C_Login(session, CKU_USER, reinterpret_cast<unsigned char*>(pin.data()), pin.size()),
        "C_Login");
}

CK_OBJECT_HANDLE Create(int number, std::vector<unsigned char>& value) {
  CK_OBJECT_CLASS type = CKO_DATA;
  CK_BBOOL yes = CK_TRUE;
  std::string label =
      "k1.h.abcdefghijklmnopqrstuvwxyz234567.1.0123456789abcdef." + std::to_string(number);
  std::string application = "raw";
  for (std::size_t i = 0; i < value.size(); ++i)
    value[i] = static_cast<unsigned char>(i * 7 + static_cast<unsigned>(number));
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &type, sizeof type},
                               {CKA_TOKEN, &yes, 1},
                               {CKA_PRIVATE, &yes, 1},
                               {CKA_APPLICATION, application.data(), application.size()},
                               {CKA_LABEL, label.data(), label.size()},
                               {CKA_VALUE, value.data(), value.size()}};
  CK_OBJECT_HANDLE handle = 0;
  Check(p11->C_CreateObject(session, attributes, 6, &handle), "C_CreateObject");
  return handle;
}

long Rss() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::atol(line.c_str() + 6);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const std::string mode = argv[3];
  const int count = std::atoi(argv[4]);
  std::vector<unsigned char> value(static_cast<std::size_t>(std::atoi(argv[5])));
  Open(argv[1], argv[2]);
  std::vector<CK_OBJECT_HANDLE> handles;
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) handles.push_back(Create(i, value));
  if (mode == "read") {
    begin = std::chrono::steady_clock::now();
    std::vector<unsigned char> out(65536);
    for (const CK_OBJECT_HANDLE handle : handles) {
      CK_ATTRIBUTE attribute{CKA_VALUE, out.data(), out.size()};
      Check(p11->C_GetAttributeValue(session, handle, &attribute, 1), "C_GetAttributeValue");
    }
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%.6f %ld\n", mode == "one" ? seconds / count : seconds, Rss());
  return 0;
}
