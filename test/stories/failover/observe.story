# Mode Observe: it says what it would do, once, and does nothing.
set failover.mode Observe
write every 500ms
at 10s kill node-1
at 40s start node-1
end 55s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  Event Warning WouldFailOver: node-2 would be promoted: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  14.4s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  40.0s  ! start node-1
  40.0s  client: write 81 is refused: ReadOnly: node-1: this member has no grant to write
  40.4s  Event Normal DeviceReturned: the device of node-1 is back
  40.4s  status: Ready
  40.4s  manager-1: nothing is wrong with Primary node-1
  40.5s  client: write 82 is acknowledged; the last before was 20, then 61 were refused and 0 in doubt

node-1: epoch 1, gate open, 49 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 49 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 49 secrets, 0 in quarantine
client: 110 writes: 49 acknowledged (0 of them in doubt before), 61 refused, in doubt to the end: none
acknowledged and not on the Primary: none
