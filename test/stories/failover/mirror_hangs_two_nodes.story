# Two nodes: the mirror hangs.
nodes 2
write every 2s
at 10s stop node-2
end 120s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2; manager-1 leads
  10.0s  ! stop node-2
  13.4s  status: Degraded: MemberUnavailable of node-2, OneFullCopy of local
  20.4s  Event Warning DeviceLost: the device of node-2 does not answer as it should
  20.4s  R: epoch 1.nonce-1, holder node-1, S: nobody
  20.4s  manager-1: node-2 left the sync set: unhealthy
  23.4s  manager-1: nothing is wrong with Primary node-1

node-1: epoch 1, gate open, 60 secrets, 0 in quarantine
node-2: epoch 1, gate closed, 5 secrets, 0 in quarantine
degraded MemberUnavailable of node-2: unreachable: no answer in time; next: start or mend what the message names (agent, host, token); it is asked again at every look
degraded OneFullCopy of local: only one reachable member holds everything acknowledged; next: bring the others back or kubectl hsm sync
client: 60 writes: 60 acknowledged (0 of them in doubt before), 0 refused, in doubt to the end: none
acknowledged and not on the Primary: none
