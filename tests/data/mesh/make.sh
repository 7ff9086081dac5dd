#!/bin/sh
# Writes the test meshes with gmsh (made with 4.8.4).
set -e
cd "$(dirname "$0")"
run() { # geo dim name arguments
    geo=$1; dim=$2; name=$3; shift 3
    gmsh "-$dim" "$geo" -format msh41 "$@" -o "$name.msh" >/dev/null
    gmsh "-$dim" "$geo" -format msh41 -bin "$@" -o "$name.bin.msh" >/dev/null
}
Q="-setnumber Mesh.SecondOrderIncomplete 1"
run plate2d.geo 2 tri3
run plate2d.geo 2 tri6 -order 2
run plate2d.geo 2 quad4 -setnumber quads 1
run plate2d.geo 2 quad8 -setnumber quads 1 -order 2 $Q
run block3d.geo 3 tet4
run block3d.geo 3 tet10 -order 2
run block3d.geo 3 hex8 -setnumber hexes 1
run block3d.geo 3 hex20 -setnumber hexes 1 -order 2 $Q
gmsh -2 plate2d.geo -setnumber quads 1 -order 2 -format msh41 -o quad9.msh >/dev/null     # refused: 9-node quadrilaterals
gmsh -2 plate2d.geo -format msh22 -o version22.msh >/dev/null                             # refused: old format
gmsh -2 plate2d.geo -format msh41 -part 2 -o partitioned.msh >/dev/null                   # groups live in $PartitionedEntities
