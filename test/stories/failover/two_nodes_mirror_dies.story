# Two nodes: the mirror dies, leaves the sync set, and writes go on. Then the Primary dies as well:
# the mirror that is back is not in the sync set and may lack writes, so nobody is promoted.
nodes 2
write every 500ms
at 10s kill node-2
at 40s kill node-1
at 45s start node-2
at 70s start node-1
end 90s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2; manager-1 leads
  10.0s  ! kill node-2
  10.0s  client: write 21 is in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: connection refused)
  10.4s  status: Degraded: MemberUnavailable of node-2, OneFullCopy of local
  12.0s  client: write 21 stays in doubt: InDoubt: version 1.21 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-2: it did not answer and is left alone for a moment)
  14.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  14.4s  R: epoch 1.nonce-1, holder node-1, S: nobody
  14.4s  manager-1: node-2 left the sync set: unhealthy
  14.4s  manager-1: nothing is wrong with Primary node-1
  14.5s  client: write 30 is acknowledged; the last before was 20, then 0 were refused and 9 in doubt
  14.5s  client: write 26, which was in doubt, is acknowledged
  15.0s  client: write 23, which was in doubt, is acknowledged
  15.5s  client: write 28, which was in doubt, is acknowledged
  16.0s  client: write 29, which was in doubt, is acknowledged
  40.0s  ! kill node-1
  40.0s  client: write 81 is refused: Unavailable: connection refused
  40.4s  status: Unavailable: PrimaryUnavailable of node-1, NoFullCopy of local, MemberUnavailable of node-2
  40.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  44.5s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  44.5s  manager-1: the sync set is empty, so acknowledged writes may be on the last Primary alone
  45.0s  ! start node-2
  45.5s  Event Normal DeviceReturned: the device of node-2 is back
  45.5s  status: Unavailable: PrimaryUnavailable of node-1, NoFullCopy of local
  70.0s  ! start node-1
  70.0s  client: write 141 is refused: ReadOnly: node-1: this member has no grant to write
  70.0s  Event Normal DeviceReturned: the device of node-1 is back
  70.0s  R: epoch 1.nonce-1, holder node-1, S: node-2
  70.0s  status: Ready
  70.1s  status: ReadOnly: NoGrant of node-1
  70.1s  manager-1: nothing is wrong with Primary node-1
  70.5s  client: write 142 is acknowledged; the last before was 80, then 61 were refused and 0 in doubt
  70.6s  status: Ready

node-1: epoch 1, gate open, 119 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 119 secrets, 0 in quarantine
client: 180 writes: 119 acknowledged (9 of them in doubt before), 61 refused, in doubt to the end: none
acknowledged and not on the Primary: none
