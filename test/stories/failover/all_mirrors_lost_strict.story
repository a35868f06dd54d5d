# All mirrors are lost with durability Strict: the last stays in the sync set and writes are refused
# until one is back.
set durability Strict
write every 500ms
at 10s kill node-2
at 20s kill node-3
at 45s start node-2
end 65s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-2
  10.4s  status: Degraded: MemberUnavailable of node-2
  14.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  14.4s  R: epoch 1.nonce-1, holder node-1, S: node-3
  14.4s  manager-1: node-2 left the sync set: unhealthy
  14.4s  manager-1: nothing is wrong with Primary node-1
  20.0s  ! kill node-3
  20.0s  client: write 41 is in doubt: InDoubt: version 1.41 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-3: connection refused)
  20.4s  status: Degraded: WritesRefused of node-1, MemberUnavailable of node-2, MemberUnavailable of node-3, OneFullCopy of local
  20.5s  client: write 42 is refused: ReadOnly: durability Strict: 0 of 1 mirrors in the sync set answer, 1 must hold a write; nothing was tried
  22.0s  client: write 41 stays in doubt: InDoubt: written by an earlier try, not acknowledged: durability Strict: 0 of 1 mirrors in the sync set answer, 1 must hold a write
  24.4s  Event Warning DeviceLost: the device of node-3 does not answer as it should
  45.0s  ! start node-2
  45.5s  Event Normal DeviceReturned: the device of node-2 is back
  45.5s  status: Degraded: WritesRefused of node-1, PeerUnreachable of node-2, MemberUnavailable of node-3
  45.5s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3
  45.5s  client: write 92 is acknowledged; the last before was 40, then 50 were refused and 1 in doubt
  45.5s  manager-1: node-2 came into the sync set
  45.5s  R: epoch 1.nonce-1, holder node-1, S: node-2
  45.5s  status: Degraded: MemberUnavailable of node-3
  45.5s  manager-1: node-3 left the sync set: unhealthy
  45.5s  manager-1: nothing is wrong with Primary node-1
  46.0s  client: write 41, which was in doubt, is acknowledged

node-1: epoch 1, gate open, 80 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 80 secrets, 0 in quarantine
node-3: does not run
degraded MemberUnavailable of node-3: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
client: 130 writes: 80 acknowledged (1 of them in doubt before), 50 refused, in doubt to the end: none
acknowledged and not on the Primary: none
