// A bar of 20 mm × 1 mm, 80 × 4 quadrilaterals.
// gmsh bar.geo -2 -format msh41 -o bar.msh
Point(1) = {0, 0, 0};  Point(2) = {20, 0, 0};  Point(3) = {20, 1, 0};  Point(4) = {0, 1, 0};
Line(1) = {1, 2};  Line(2) = {2, 3};  Line(3) = {3, 4};  Line(4) = {4, 1};
Curve Loop(1) = {1, 2, 3, 4};  Plane Surface(1) = {1};
Transfinite Curve{1, 3} = 81;  Transfinite Curve{2, 4} = 5;
Transfinite Surface{1};  Recombine Surface{1};
Physical Curve("bottom", 11) = {1};
Physical Curve("right", 12) = {2};
Physical Curve("top", 13) = {3};
Physical Curve("left", 14) = {4};
Physical Surface("bar", 1) = {1};
