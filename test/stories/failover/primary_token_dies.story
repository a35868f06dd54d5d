# Only the Primary's token is gone: its agent answers, closes its gate when it is asked, and nobody
# waits for the grant. The token returns and is a mirror's.
write every 500ms
read every 1s
at 10s unplug node-1
at 30s plug node-1
end 50s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   1.0s  client: reads are answered by the Primary, node-1
  10.0s  ! unplug node-1
  10.0s  client: write 21 is refused: Unavailable: C_OpenSession: CKR_TOKEN_NOT_PRESENT
  10.0s  client: reads are marked, from node-2: its store could not be opened
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: slot: C_GetTokenInfo: CKR_TOKEN_NOT_PRESENT
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  failover-1 runs: Failover to node-2
  14.4s  status: FailingOver: FailingOver of node-2
  14.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  14.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  14.4s  failover-1: fence: answered: node-1 (no inventory), node-2, node-3
  14.4s  failover-1: merge: node-2 pulled 0 versions and is frozen
  14.4s  R: epoch 2.nonce-2, holder node-2, S: node-3
  14.4s  failover-1: open: node-2 is the Primary of epoch 2
  14.4s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  14.4s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 4s
  14.4s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 4s
  14.4s  status: Degraded: MemberUnavailable of node-1
  14.4s  manager-1: nothing is wrong with Primary node-2
  14.5s  client: write 30 is acknowledged; the last before was 20, then 9 were refused and 0 in doubt
  15.0s  client: reads are answered by the Primary, node-2
  30.0s  ! plug node-1
  30.4s  Event Normal DeviceReturned: the device of node-1 is back
  30.4s  R: epoch 2.nonce-2, holder node-2, S: node-1, node-3
  30.4s  status: Ready

node-1: epoch 2, gate closed, 91 secrets, 0 in quarantine
node-2: epoch 2, gate open, 91 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 91 secrets, 0 in quarantine
history: 13.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 100 writes: 91 acknowledged (0 of them in doubt before), 9 refused, in doubt to the end: none
acknowledged and not on the Primary: none
