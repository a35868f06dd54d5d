// Makes a token by C_InitToken and C_InitPIN (PKCS#11 v2.40, 5.5), so that no PIN is ever an
// argument of a process:
//
//   token_init MODULE LABEL SO_PIN_FILE PIN_FILE [NEW_SO_PIN_FILE]
//
// Takes the first slot whose token is not initialised, else the first slot. With NEW_SO_PIN_FILE
// the security officer's PIN is changed between the two, as opencryptoki demands. Prints the
// serial.
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

void Check(const char* doing, CK_RV rv) {
  if (rv == CKR_OK) return;
  std::fprintf(stderr, "token_init: %s: 0x%lx\n", doing, rv);
  std::exit(1);
}

std::string ReadPin(const char* path) {
  std::ifstream file(path);
  std::string pin;
  std::getline(file, pin);
  if (pin.empty()) {
    std::fprintf(stderr, "token_init: no PIN in %s\n", path);
    std::exit(1);
  }
  return pin;
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "token_init: %s\n", dlerror());
    return 1;
  }
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr) return 1;
  CK_FUNCTION_LIST* p11 = nullptr;
  Check("C_GetFunctionList", get(&p11));
  Check("C_Initialize", p11->C_Initialize(nullptr));

  CK_SLOT_ID slots[64];
  CK_ULONG count = 64;
  Check("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, slots, &count));
  if (count == 0) Check("C_GetSlotList, no token present", CKR_TOKEN_NOT_PRESENT);
  CK_SLOT_ID slot = slots[0];
  for (CK_ULONG i = count; i-- > 0;) {
    CK_TOKEN_INFO info;
    if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
        (info.flags & CKF_TOKEN_INITIALIZED) == 0) {
      slot = slots[i];
    }
  }

  unsigned char label[32];
  std::memset(label, ' ', sizeof label);
  std::memcpy(label, argv[2], std::min(std::strlen(argv[2]), sizeof label));
  std::string so_pin = ReadPin(argv[3]);
  std::string pin = ReadPin(argv[4]);
  Check("C_InitToken", p11->C_InitToken(slot, Bytes(so_pin), so_pin.size(), label));

  CK_SESSION_HANDLE session = 0;
  Check("C_OpenSession",
        p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session));
  Check("C_Login", p11->C_Login(session, CKU_SO, Bytes(so_pin), so_pin.size()));
  if (argc > 5) {
    std::string changed = ReadPin(argv[5]);
    Check("C_SetPIN",
          p11->C_SetPIN(session, Bytes(so_pin), so_pin.size(), Bytes(changed), changed.size()));
  }
  Check("C_InitPIN", p11->C_InitPIN(session, Bytes(pin), pin.size()));
  CK_TOKEN_INFO info;
  Check("C_GetTokenInfo", p11->C_GetTokenInfo(slot, &info));
  std::printf("%.16s\n", reinterpret_cast<const char*>(info.serialNumber));
  Check("C_Finalize", p11->C_Finalize(nullptr));
  return 0;
}
