# As paused, and somebody resumes before the time is over.
write every 500ms
at 5s pause 300s
at 10s kill node-1
at 30s resume
end 60s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
   5.0s  ! pause 300s
   5.4s  asked-1 runs: Pause
   5.4s  asked-1 ends Succeeded: paused until 304.9s: nothing is promoted automatically; resume ends it
   5.4s  manager-1: asked-1: paused until 304.9s: nothing is promoted automatically; resume ends it
   5.4s  status: Paused
   5.4s  manager-1: nothing is wrong with Primary node-1
  10.0s  ! kill node-1
  10.0s  client: write 21 is refused: Unavailable: connection refused
  10.4s  status: ReadOnly: PrimaryUnavailable of node-1
  10.4s  manager-1: Primary node-1 is watched: unreachable: connection refused
  14.4s  Event Warning DeviceLost: the device of node-1 does not answer as it should
  14.4s  manager-1: paused until 304.9s
  30.0s  ! resume
  30.4s  asked-2 runs: Resume
  30.4s  asked-2 ends Succeeded: resumed
  30.4s  manager-1: asked-2: resumed
  30.4s  failover-1 runs: Failover to node-2
  30.4s  status: FailingOver: FailingOver of node-2
  30.4s  R: epoch 2.nonce-2, no holder, target node-2, S: node-2, node-3
  30.4s  failover-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  30.4s  failover-1: fence: answered: node-2, node-3
  30.4s  failover-1: wait: node-1 does not answer (connection refused); waiting 12s until its grant has run out
  30.5s  client: write 62 is refused: Unavailable: no Primary: a promotion is under way
  43.0s  failover-1: merge: node-2 pulled 0 versions and is frozen
  43.0s  R: epoch 2.nonce-2, holder node-2, S: node-3
  43.0s  failover-1: open: node-2 is the Primary of epoch 2
  43.0s  Event Normal HSMFailover: Failover from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
  43.0s  failover-1 ends Succeeded: node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 32s
  43.0s  manager-1: Primary node-1 is unhealthy and node-2 can have everything acknowledged; node-2 is the Primary of epoch 2: 20 secrets, lost none, writes stopped for 32s
  43.0s  status: Degraded: MemberUnavailable of node-1
  43.0s  manager-1: nothing is wrong with Primary node-2
  43.0s  client: write 87 is acknowledged; the last before was 20, then 66 were refused and 0 in doubt

node-1: does not run
node-2: epoch 2, gate open, 54 secrets, 0 in quarantine
node-3: epoch 2, gate closed, 54 secrets, 0 in quarantine
degraded MemberUnavailable of node-1: unreachable: connection refused; next: start or mend what the message names (agent, host, token); it is asked again at every look
history: 42.9s Failover Succeeded from node-1 to node-2, epoch 2, lost none: Primary node-1 is unhealthy and node-2 can have everything acknowledged
client: 120 writes: 54 acknowledged (0 of them in doubt before), 66 refused, in doubt to the end: none
acknowledged and not on the Primary: none
