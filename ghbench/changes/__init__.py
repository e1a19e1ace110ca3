"""Random changes of images, made in torch: of the scene, and of its picture. Import what you need from its module."""
