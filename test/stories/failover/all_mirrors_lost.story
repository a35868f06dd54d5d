# All mirrors are lost, one after the other. With durability Available the sync set is emptied and
# writes go on, on the Primary alone; they come back into the sync set when they return.
write every 500ms
at 10s kill node-2
at 20s kill node-3
at 45s start node-2
at 50s start node-3
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
  20.4s  status: Degraded: MemberUnavailable of node-2, MemberUnavailable of node-3, OneFullCopy of local
  22.0s  client: write 41 stays in doubt: InDoubt: version 1.41 is on node-1 and was not acknowledged: 0 of 1 mirrors that must hold it do (node-3: it did not answer and is left alone for a moment)
  24.4s  Event Warning DeviceLost: the device of node-3 does not answer as it should
  24.4s  R: epoch 1.nonce-1, holder node-1, S: nobody
  24.4s  manager-1: node-3 left the sync set: unhealthy
  24.4s  manager-1: nothing is wrong with Primary node-1
  24.5s  client: write 50 is acknowledged; the last before was 40, then 0 were refused and 9 in doubt
  24.5s  client: write 46, which was in doubt, is acknowledged
  25.0s  client: write 43, which was in doubt, is acknowledged
  25.5s  client: write 48, which was in doubt, is acknowledged
  26.0s  client: write 45, which was in doubt, is acknowledged
  45.0s  ! start node-2
  45.5s  Event Normal DeviceReturned: the device of node-2 is back
  45.5s  status: Degraded: PeerUnreachable of node-2, MemberUnavailable of node-3
  45.5s  R: epoch 1.nonce-1, holder node-1, S: node-2
  45.5s  manager-1: node-2 came into the sync set
  45.5s  status: Degraded: MemberUnavailable of node-3
  45.5s  manager-1: nothing is wrong with Primary node-1
  50.0s  ! start node-3
  50.0s  Event Normal DeviceReturned: the device of node-3 is back
  50.0s  status: Degraded: PeerUnreachable of node-3
  50.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3
  50.1s  manager-1: node-3 came into the sync set
  50.1s  status: Ready
  50.1s  manager-1: nothing is wrong with Primary node-1

node-1: epoch 1, gate open, 130 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 130 secrets, 0 in quarantine
node-3: epoch 1, gate closed, 130 secrets, 0 in quarantine
client: 130 writes: 130 acknowledged (9 of them in doubt before), 0 refused, in doubt to the end: none
acknowledged and not on the Primary: none
