# A planned promotion: the Primary stops taking writes, the copies are proved equal, and nobody
# waits for a grant.
write every 500ms
at 10s promote node-3
end 25s
----
   0.0s  R: epoch 1.nonce-1, holder node-1, S: node-2, node-3; manager-1 leads
  10.0s  ! promote node-3
  10.4s  asked-1 runs: Promote to node-3
  10.4s  asked-1: quiesce: node-1 stops taking writes
  10.4s  asked-1: equal: node-1 and node-3 have the same digest
  10.4s  status: FailingOver: FailingOver of node-3
  10.4s  R: epoch 2.nonce-2, no holder, target node-3, S: node-2, node-3
  10.4s  asked-1: fence-point: epoch 2 is on record; nobody of an earlier one can be acknowledged once fenced
  10.4s  asked-1: fence: answered: node-1, node-2, node-3
  10.4s  asked-1: merge: node-3 pulled 0 versions and is frozen
  10.4s  R: epoch 2.nonce-2, holder node-3, S: node-1, node-2
  10.4s  asked-1: open: node-3 is the Primary of epoch 2
  10.4s  Event Normal HSMFailover: Promote from node-1 to node-3, epoch 2, lost none: the story
  10.4s  asked-1 ends Succeeded: node-3 is the Primary of epoch 2: 21 secrets proved equal, lost none, writes stopped for 0.0s
  10.4s  manager-1: asked-1: node-3 is the Primary of epoch 2: 21 secrets proved equal, lost none, writes stopped for 0.0s
  10.4s  status: Ready
  10.4s  manager-1: nothing is wrong with Primary node-3

node-1: epoch 2, gate closed, 50 secrets, 0 in quarantine
node-2: epoch 2, gate closed, 50 secrets, 0 in quarantine
node-3: epoch 2, gate open, 50 secrets, 0 in quarantine
history: 9.9s Promote Succeeded from node-1 to node-3, epoch 2, lost none: the story
client: 50 writes: 50 acknowledged (0 of them in doubt before), 0 refused, in doubt to the end: none
acknowledged and not on the Primary: none
